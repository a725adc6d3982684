; Two cases in one document: a family office opens an account, and the account of its
; foundation is reviewed in the same sitting. All of it takes effect, or none.

(attributes.define
  :name "office.mandate_kind"
  :mask "enum"
  :group "product"
  :description "Kind of mandate that a family office gives."
  :rules {"values" ["discretionary", "advisory", "execution_only"]})

(attributes.define
  :name "office.mandate_fee"
  :mask "percent"
  :group "product"
  :description "Yearly fee on assets under the mandate."
  :rules {"range" {"min" 0, "max" 3}})

; ---- the office ----------------------------------------------------------------------

(case.create
  :case-id "OFFICE-2026-17"
  :title "Hartmann family office"
  :case-type "private_banking"
  :jurisdiction "CH"
  :customer-name "Hartmann Family Office AG"
  :assigned-to "r.keller"
  :entity-id "HARTMANN-FO"
  :risk-rating "medium"
  :tags ["family-office", "zurich"])

(entity.register
  :entity-type "limited_company"
  :name "Hartmann Family Office AG"
  :jurisdiction "CH"
  :registration-number "CHE-401.118.207"
  :incorporation-date "2011-09-30")

(entity.register :entity-id "HARTMANN-A", :entity-type "proper_person", :name "Anna Hartmann",
                 :date-of-birth "1969-07-18", :nationality "CH")
(entity.register :entity-id "HARTMANN-J", :entity-type "proper_person", :name "Jonas Hartmann",
                 :date-of-birth "1973-02-03", :nationality "DE")

(kyc.collect_document
  :document-id "DOC-HFO-SHARES" :document-type "share_register" :entity "HARTMANN-FO"
  :source "company secretary" :issued "2025-11-30")

(entity.link :from "HARTMANN-A" :to "HARTMANN-FO" :type "ownership" :percent 55%
             :verification-status "verified" :evidence ["DOC-HFO-SHARES"])
(entity.link :from "HARTMANN-J" :to "HARTMANN-FO" :type "ownership" :percent 45%
             :verification-status "verified" :evidence ["DOC-HFO-SHARES"])

(role.assign :entity "HARTMANN-FO" :role "client")
(role.assign :entity "HARTMANN-A" :role "authorised_signatory" :scope "alone")
(role.assign :entity "HARTMANN-J" :role "authorised_signatory" :scope "jointly with another")

(kyc.start :entity "HARTMANN-FO" :level "standard" :jurisdictions ["CH", "DE"])
(kyc.screen_sanctions :entity "HARTMANN-A" :lists ["SECO", "EU", "UN"] :result "clear")
(kyc.screen_sanctions :entity "HARTMANN-J" :lists ["SECO", "EU", "UN"] :result "clear")
(compliance.crs_check :entity "HARTMANN-FO" :status "passive_nfe" :tax-residences ["CH"] :self-certified true)

(ubo.calc :entity "HARTMANN-FO" :threshold 25% :prongs ["ownership"])
(ubo.outcome :target "HARTMANN-FO" :threshold 25% :ubos ["HARTMANN-A" "HARTMANN-J"]
             :evidence ["DOC-HFO-SHARES"])

(values.bind
  :entity "HARTMANN-FO"
  :source "mandate of 4 May 2026"
  :bindings {
    "office.mandate_kind" "discretionary",
    "office.mandate_fee" 0.85%,
    "banking.currency" "CHF",
    "banking.iban" "CH93 0076 2011 6238 5295 7"
  })

(products.add :products ["PORTFOLIO_MANAGEMENT", "CUSTODY"] :reason "Mandate of 4 May 2026")
(products.configure
  :product "PORTFOLIO_MANAGEMENT"
  :config {
    "benchmark" {"equities" 40%, "bonds" 45%, "gold" 5%, "cash" 10%},
    "limits" {"single issuer" 5%, "currencies" ["CHF", "EUR", "USD"]},
    "reporting" "quarterly"
  })
(services.discover :product "CUSTODY" :services ["safekeeping", "settlement", "tax_reclaim"])
(services.provision :service "safekeeping" :product "CUSTODY" :config {:markets ["CH", "DE", "US"]})
(resources.provision :resource "custody-account-chf" :owner "securities operations")
(resources.test :resource "custody-account-chf" :result "passed" :test-type "penny booking")

; ---- its foundation --------------------------------------------------------------------

(case.create
  :case-id "FOUNDATION-2026-04"
  :title "Hartmann foundation: periodic review"
  :case-type "periodic_review"
  :jurisdiction "LI"
  :customer-name "Hartmann Stiftung für Musik"
  :entity-id "HARTMANN-STIFTUNG")

(entity.register :entity-type "foundation" :name "Hartmann Stiftung für Musik" :jurisdiction "LI")
(entity.link :from "HARTMANN-A" :to "HARTMANN-STIFTUNG" :type "founder")
(role.assign :entity "HARTMANN-STIFTUNG" :role "client")
(document.catalog :document-id "DOC-STATUTES" :document-type "statutes"
                  :entity "HARTMANN-STIFTUNG" :issued "2008-12-01" :pages 14)
(kyc.start :entity "HARTMANN-STIFTUNG" :level "simplified")
(external.query :source "register of foundations" :query "FL-0002.299.514-3"
                :entity "HARTMANN-STIFTUNG" :result {"status" "active"})
(kyc.assess_risk :entity "HARTMANN-STIFTUNG" :risk-rating "low" :score 12.5
                 :factors ["supervised", "no distributions abroad"])
(notify.send :to "stiftung@hartmann.example" :channel "portal"
             :subject "Review done" :message "Nothing is missing.")
(workflow.transition :to-state "in_review" :by "r.keller" :reason "Nothing has changed since 2023")

; ---- back to the office -----------------------------------------------------------------

(case.update :case-id "OFFICE-2026-17" :priority "high" :due-date "2026-07-31")
(tasks.create :task-id "T-1" :title "Specimen signatures" :assignee "r.keller" :due-date "2026-06-15")
(workflow.transition :to-state "collecting" :by "r.keller")
