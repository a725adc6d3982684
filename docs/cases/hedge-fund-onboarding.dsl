;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Onboarding of Meridian Global Macro Fund, an AIF of Luxembourg, as a client for custody
; and fund administration. Prepared by the client team, reviewed by compliance.
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

; The client came through the Zurich office; first meeting on 12 January 2026.
(case.create
  :case-id "CBU-MERIDIAN-2026"
  :title "Meridian Global Macro Fund: custody and administration"
  :case-type "hedge_fund_onboarding"
  :priority "high"
  :jurisdiction "LU"
  :customer-name "Meridian Global Macro Fund SICAV-RAIF"
  :assigned-to "k.oduya"
  :entity-id "MERIDIAN-FUND"
  :description "A macro fund with USD 840 million under management wants to move custody, fund accounting
and transfer agency from its present provider by the end of the third quarter."
  :nature-purpose "Custody of listed securities, administration, transfer agency; no lending."
  :due-date "2026-09-30"
  :risk-rating "medium"
  :tags [
    "hedge-fund"
    "luxembourg"
    "raif"
    "transition"
  ]
  :source "referral"
  :expected-revenue 420000EUR)

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Who is who
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(entity.register
  :entity-id "MERIDIAN-FUND"
  :entity-type "hedge_fund"
  :name "Meridian Global Macro Fund SICAV-RAIF"
  :jurisdiction "LU"
  :registration-number "B 254 871"
  :lei "529900T8BM49AURSDO55"
  :incorporation-date "2019-03-14"
  :aum 840000000USD
  :fund-strategy "global_macro"
  :fund-structure {
    :umbrella true
    :compartments 3
    :master_feeder false
  }
  :share-classes [
    "A USD acc"
    "B EUR hedged"
    "I CHF hedged"
    "S seed"
  ]
  :administrator-now "Northern Bridge Fund Services S.A."
  :auditor "Halloran & Weiss S.à r.l."
  :nav-frequency "monthly"
  :address "12 rue Erasme, L-1468 Luxembourg")

(entity.register
  :entity-id "MERIDIAN-AIFM"
  :entity-type "management_company"
  :name "Meridian Capital Management S.A."
  :jurisdiction "LU"
  :registration-number "B 198 220"
  :incorporation-date "2015-11-02"
  :regulator "CSSF"
  :licence "AIFM"
  :employees 34
  :address "12 rue Erasme, L-1468 Luxembourg"
  :website "https://meridian.example")

(entity.register
  :entity-id "MERIDIAN-GP"
  :entity-type "general_partner"
  :name "Meridian General Partner S.à r.l."
  :jurisdiction "LU"
  :registration-number "B 254 860"
  :incorporation-date "2019-03-01"
  :share-capital 12000EUR
  :address "12 rue Erasme, L-1468 Luxembourg")

(entity.register
  :entity-id "MERIDIAN-HOLD"
  :entity-type "limited_company"
  :name "Meridian Holding AG"
  :jurisdiction "CH"
  :registration-number "CHE-114.582.330"
  :incorporation-date "2014-06-18"
  :share-capital 2500000CHF
  :address "Bahnhofstrasse 61, 8001 Zürich")

(entity.register
  :entity-id "ALPINE-TRUST"
  :entity-type "trust"
  :name "The Alpine Family Trust"
  :jurisdiction "JE"
  :registration-number "TR-88213"
  :settled "2009-05-27"
  :governing-law "Jersey"
  :trustee "Channel Fiduciary Services Limited"
  :address "19 Esplanade, St Helier JE2 3QA")

(entity.register
  :entity-id "CHANNEL-FID"
  :entity-type "limited_company"
  :name "Channel Fiduciary Services Limited"
  :jurisdiction "JE"
  :registration-number "95114"
  :regulator "JFSC"
  :incorporation-date "2007-02-09"
  :address "19 Esplanade, St Helier JE2 3QA")

(entity.register
  :entity-id "PENSION-NORD"
  :entity-type "pension_fund"
  :name "Pensionskasse Nordlicht"
  :jurisdiction "DE"
  :registration-number "HRB 77120"
  :regulator "BaFin"
  :members 18400
  :address "Hafenstraße 4, 20457 Hamburg")

(entity.register
  :entity-id "LINDQVIST"
  :entity-type "proper_person"
  :name "Astrid Helena Lindqvist"
  :jurisdiction "CH"
  :date-of-birth "1971-04-09"
  :nationality "SE"
  :passport-number "SE88120341"
  :address "Seestrasse 203, 8002 Zürich"
  :function "Chief investment officer"
  :source-of-wealth "Sale of Lindqvist Quant AB in 2013 and partnership income since")

(entity.register
  :entity-id "MBEKI-ROSS"
  :entity-type "proper_person"
  :name "Thabo Mbeki-Ross"
  :jurisdiction "LU"
  :date-of-birth "1979-10-23"
  :nationality "ZA"
  :passport-number "A09441822"
  :address "8 rue Philippe II, L-2340 Luxembourg"
  :function "Conducting officer, risk")

(entity.register
  :entity-id "DELACROIX"
  :entity-type "proper_person"
  :name "Étienne Delacroix"
  :jurisdiction "FR"
  :date-of-birth "1964-01-30"
  :nationality "FR"
  :passport-number "19DV44120"
  :address "14 rue de Médicis, 75006 Paris"
  :function "Independent director"
  :other-mandates [
    "Banque du Quai"
    "Fonds Horizon"
    "Garonne Assurances"
  ])

(entity.register
  :entity-id "VON-ARX"
  :entity-type "proper_person"
  :name "Beat von Arx"
  :jurisdiction "CH"
  :date-of-birth "1958-12-02"
  :nationality "CH"
  :passport-number "X4410927"
  :address "Via Nassa 11, 6900 Lugano"
  :function "Beneficiary of the Alpine Family Trust"
  :source-of-wealth "Inheritance, textile works von Arx")

; FATCA and MiFID classification as declared by the AIFM.
(entity.classify
  :entity-id "MERIDIAN-FUND"
  :classification "alternative_investment_fund"
  :sector "asset_management"
  :regulated false
  :risk-rating "medium"
  :mifid-category "professional_client"
  :fatca-status "participating_ffi")

(entity.classify
  :entity-id "MERIDIAN-AIFM"
  :classification "authorised_aifm"
  :sector "asset_management"
  :regulated true
  :risk-rating "low"
  :emir-category "FC")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; The catalog: what has been received
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(document.catalog
  :document-id "DOC-ARTICLES"
  :document-type "articles_of_association"
  :title "Consolidated articles of 3 February 2025"
  :entity "MERIDIAN-FUND"
  :issued "2025-02-03"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 40)

(document.catalog
  :document-id "DOC-PPM"
  :document-type "offering_memorandum"
  :title "Private placement memorandum, October 2025"
  :entity "MERIDIAN-FUND"
  :issued "2025-10-15"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 42)

(document.catalog
  :document-id "DOC-REGISTER"
  :document-type "register_extract"
  :title "Extract of the register of commerce"
  :entity "MERIDIAN-FUND"
  :issued "2026-01-08"
  :expires "2026-04-08"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 35)

(document.catalog
  :document-id "DOC-AIFM-LICENCE"
  :document-type "licence"
  :title "Authorisation of the CSSF as AIFM"
  :entity "MERIDIAN-AIFM"
  :issued "2016-03-21"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 33)

(document.catalog
  :document-id "DOC-RBO"
  :document-type "beneficial_owner_register"
  :title "Extract of the register of beneficial owners"
  :entity "MERIDIAN-GP"
  :issued "2026-01-08"
  :expires "2026-04-08"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 44)

(document.catalog
  :document-id "DOC-HOLD-REGISTER"
  :document-type "share_register"
  :title "Share register of Meridian Holding AG"
  :entity "MERIDIAN-HOLD"
  :issued "2025-12-31"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 37)

(document.catalog
  :document-id "DOC-TRUST-DEED"
  :document-type "trust_deed"
  :title "Deed of settlement, as amended 2018"
  :entity "ALPINE-TRUST"
  :issued "2018-06-11"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 35)

(document.catalog
  :document-id "DOC-PASS-LINDQVIST"
  :document-type "passport"
  :title "Passport of Astrid Helena Lindqvist"
  :entity "LINDQVIST"
  :issued "2021-08-19"
  :expires "2031-08-18"
  :language "mul"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 35)

(document.catalog
  :document-id "DOC-PASS-MBEKI"
  :document-type "passport"
  :title "Passport of Thabo Mbeki-Ross"
  :entity "MBEKI-ROSS"
  :issued "2019-05-06"
  :expires "2029-05-05"
  :language "mul"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 28)

(document.catalog
  :document-id "DOC-PASS-VONARX"
  :document-type "passport"
  :title "Passport of Beat von Arx"
  :entity "VON-ARX"
  :issued "2020-02-14"
  :expires "2030-02-13"
  :language "mul"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 24)

(document.catalog
  :document-id "DOC-BILL-LINDQVIST"
  :document-type "utility_bill"
  :title "Invoice of the Zurich electricity works"
  :entity "LINDQVIST"
  :issued "2025-12-11"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 39)

(document.catalog
  :document-id "DOC-ACCOUNTS"
  :document-type "annual_report"
  :title "Audited annual report 2024"
  :entity "MERIDIAN-FUND"
  :issued "2025-04-28"
  :language "en"
  :source "client upload portal"
  :confidentiality "confidential"
  :pages 26)

; Seen against the register on line.
(document.verify
  :document-id "DOC-REGISTER"
  :method "register_lookup"
  :verified-by "m.santos"
  :verified-at "2026-01-19T09:42:00+01:00"
  :result "matches")

(document.verify
  :document-id "DOC-PASS-LINDQVIST"
  :method "mrz_and_chip"
  :verified-by "m.santos"
  :verified-at "2026-01-19T10:05:00+01:00"
  :result "genuine")

(document.extract
  :document-id "DOC-HOLD-REGISTER"
  :method "manual"
  :confidence 0.98
  :fields {
    :holders ["The Alpine Family Trust 65 %" "Astrid Helena Lindqvist 35 %"]
    :shares 25000
    :as_of "2025-12-31"
  })

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Who owns whom
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(entity.link
  :from-entity "MERIDIAN-GP"
  :to-entity "MERIDIAN-FUND"
  :relationship-type "management_shares"
  :ownership-percent 5%
  :verification-status "verified"
  :evidence ["DOC-ARTICLES"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-ARTICLES, held against the register where there is one.")

(entity.link
  :from-entity "PENSION-NORD"
  :to-entity "MERIDIAN-FUND"
  :relationship-type "investor"
  :ownership-percent 38.5%
  :verification-status "verified"
  :evidence ["DOC-PPM"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-PPM, held against the register where there is one.")

(entity.link
  :from-entity "MERIDIAN-HOLD"
  :to-entity "MERIDIAN-GP"
  :relationship-type "ownership"
  :ownership-percent 100%
  :verification-status "verified"
  :evidence ["DOC-RBO"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-RBO, held against the register where there is one.")

(entity.link
  :from-entity "MERIDIAN-HOLD"
  :to-entity "MERIDIAN-AIFM"
  :relationship-type "ownership"
  :ownership-percent 90%
  :verification-status "verified"
  :evidence ["DOC-AIFM-LICENCE"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-AIFM-LICENCE, held against the register where there is one.")

(entity.link
  :from-entity "MBEKI-ROSS"
  :to-entity "MERIDIAN-AIFM"
  :relationship-type "ownership"
  :ownership-percent 10%
  :verification-status "verified"
  :evidence ["DOC-AIFM-LICENCE"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-AIFM-LICENCE, held against the register where there is one.")

(entity.link
  :from-entity "ALPINE-TRUST"
  :to-entity "MERIDIAN-HOLD"
  :relationship-type "ownership"
  :ownership-percent 65%
  :verification-status "verified"
  :evidence ["DOC-HOLD-REGISTER"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-HOLD-REGISTER, held against the register where there is one.")

(entity.link
  :from-entity "LINDQVIST"
  :to-entity "MERIDIAN-HOLD"
  :relationship-type "ownership"
  :ownership-percent 35%
  :verification-status "verified"
  :evidence ["DOC-HOLD-REGISTER"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-HOLD-REGISTER, held against the register where there is one.")

(entity.link
  :from-entity "VON-ARX"
  :to-entity "ALPINE-TRUST"
  :relationship-type "beneficiary"
  :ownership-percent 100%
  :verification-status "verified"
  :evidence ["DOC-TRUST-DEED"]
  :effective-date "2025-12-31"
  :description "Stated in DOC-TRUST-DEED, held against the register where there is one.")

(entity.link
  :from-entity "CHANNEL-FID"
  :to-entity "ALPINE-TRUST"
  :relationship-type "trustee"
  :effective-date "2019-03-14"
  :verification-status "pending"
  :description "Declared; the confirmation has been asked for.")

(entity.link
  :from-entity "DELACROIX"
  :to-entity "MERIDIAN-FUND"
  :relationship-type "director"
  :effective-date "2019-03-14"
  :verification-status "pending"
  :description "Declared; the confirmation has been asked for.")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Roles
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(role.assign
  :entity "MERIDIAN-FUND"
  :role "client"
  :from-date "2026-01-12"
  :scope "custody and administration")

(role.assign
  :entity "MERIDIAN-AIFM"
  :role "investment_manager"
  :from-date "2026-01-12"
  :scope "custody and administration")

(role.assign
  :entity "MERIDIAN-GP"
  :role "general_partner"
  :from-date "2026-01-12"
  :scope "custody and administration")

(role.assign
  :entity "LINDQVIST"
  :role "authorised_signatory"
  :from-date "2026-01-12"
  :scope "custody and administration")

(role.assign
  :entity "MBEKI-ROSS"
  :role "authorised_signatory"
  :from-date "2026-01-12"
  :scope "custody and administration")

(role.assign
  :entity "DELACROIX"
  :role "director"
  :from-date "2026-01-12"
  :scope "custody and administration")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Values of the dictionary
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(values.bind
  :entity "MERIDIAN-FUND"
  :source "register extract"
  :observed-at "2026-01-19T09:42:00+01:00"
  :bindings {
    :identity.legal_name "Meridian Global Macro Fund SICAV-RAIF"
    :entity.lei "529900T8BM49AURSDO55"
    :entity.incorporation_country "LU"
    :entity.incorporation_date "2019-03-14"
    :fund.domicile "LU"
    :fund.strategy "global_macro"
    :product.base_currency "USD"
    :product.nav_frequency "monthly"
    :product.assets_under_management 840000000USD
    :product.management_fee 1.5%
    :product.performance_fee 20%
    :tax.fatca_status "participating_ffi"
    :tax.giin "QX4821.00000.SP.442"
    :banking.bic "DEUTDEFF500"
    :banking.iban "LU28 0019 4006 4475 0000"
  })

(values.bind
  :entity "LINDQVIST"
  :source "passport"
  :observed-at "2026-01-19T10:05:00+01:00"
  :bindings {
    :identity.first_name "Astrid Helena"
    :identity.last_name "Lindqvist"
    :identity.date_of_birth "1971-04-09"
    :identity.nationality "SE"
    :identity.passport_number "SE88120341"
    :identity.passport_expiry "2031-08-18"
    :contact.email "astrid.lindqvist@meridian.example"
    :contact.phone "+41445550142"
    :risk.pep false
  })

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Know your customer
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(kyc.start
  :entity "MERIDIAN-FUND"
  :level "enhanced"
  :documents [
    "articles_of_association"
    "register_extract"
    "passport"
    "trust_deed"
  ]
  :jurisdictions [
    "LU"
    "CH"
    "JE"
  ]
  :risk-rating "medium")

(kyc.collect
  :entity "MERIDIAN-FUND"
  :document-type "register_extract"
  :document-id "DOC-REGISTER"
  :source "client upload portal"
  :due-date "2026-02-15")

(kyc.collect
  :entity "LINDQVIST"
  :document-type "passport"
  :document-id "DOC-PASS-LINDQVIST"
  :source "client upload portal"
  :due-date "2026-02-15")

(kyc.collect
  :entity "VON-ARX"
  :document-type "passport"
  :document-id "DOC-PASS-VONARX"
  :source "client upload portal"
  :due-date "2026-02-15")

(kyc.screen_sanctions
  :entity "LINDQVIST"
  :lists [
    "EU consolidated"
    "OFAC SDN"
    "UN"
    "SECO"
  ]
  :result "clear"
  :screened-at "2026-01-20T07:30:00Z")

(kyc.screen_sanctions
  :entity "VON-ARX"
  :lists [
    "EU consolidated"
    "OFAC SDN"
    "UN"
    "SECO"
  ]
  :result "clear"
  :screened-at "2026-01-20T07:30:00Z")

(kyc.screen_sanctions
  :entity "DELACROIX"
  :lists [
    "EU consolidated"
    "OFAC SDN"
    "UN"
    "SECO"
  ]
  :result "clear"
  :screened-at "2026-01-20T07:30:00Z")

; Member of a cantonal parliament until 2011: no longer politically exposed.
(kyc.check_pep
  :entity "VON-ARX"
  :result "clear"
  :scope "current and former functions"
  :screened-at "2026-01-20T07:31:00Z")

(kyc.validate_address
  :entity "LINDQVIST"
  :address "Seestrasse 203, 8002 Zürich"
  :document-id "DOC-BILL-LINDQVIST"
  :result "passed")

(kyc.assess_risk
  :entity "MERIDIAN-FUND"
  :risk-rating "medium"
  :factors [
    "trust in the chain of ownership"
    "non-EU holding"
    "listed instruments only"
    "regulated manager"
  ]
  :score 46.5
  :methodology "Group standard 4.2")

(ubo.calc
  :entity "MERIDIAN-GP"
  :threshold 25%
  :prongs ["ownership" "control"]
  :algorithm "product of shares along every chain")

(ubo.outcome
  :target "MERIDIAN-GP"
  :threshold 25%
  :ubos ["VON-ARX" "LINDQVIST"]
  :at "2026-01-22T15:00:00Z"
  :evidence [
    "DOC-RBO"
    "DOC-HOLD-REGISTER"
    "DOC-TRUST-DEED"
  ]
  :method "ownership and control prongs")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Compliance
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(compliance.fatca_check
  :entity "MERIDIAN-FUND"
  :status "participating_ffi"
  :giin "QX4821.00000.SP.442"
  :form "W-8BEN-E"
  :us-person false)

(compliance.crs_check
  :entity "MERIDIAN-FUND"
  :status "financial_institution"
  :tax-residences ["LU"]
  :self-certified true)

(compliance.aml_check
  :entity "MERIDIAN-FUND"
  :result "clear"
  :typologies ["layering" "round tripping"]
  :score 12)

(compliance.monitor
  :entity "MERIDIAN-FUND"
  :frequency "quarterly"
  :triggers [
    "change of ownership"
    "adverse media"
    "sanctions list update"
  ]
  :from-date "2026-10-01")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Products, services, resources
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(products.add
  :products [
    "CUSTODY"
    "FUND_ACCOUNTING"
    "TRANSFER_AGENCY"
  ]
  :reason "Mandate letter of 2 February 2026")

(products.configure
  :product "FUND_ACCOUNTING"
  :config {
    :nav_frequency "monthly"
    :base_currency "USD"
    :pricing_sources ["Bloomberg" "ICE"]
    :swing_pricing false
    :cut_off "T+5 14:00 CET"
  })

(services.discover
  :product "CUSTODY"
  :services [
    "safekeeping"
    "settlement"
    "corporate_actions"
    "tax_reclaim"
  ])

(services.provision
  :service "safekeeping"
  :product "CUSTODY"
  :config {
    :markets [
      "LU"
      "DE"
      "FR"
      "US"
      "JP"
    ]
    :network "direct and sub-custodian"
  })

(services.provision
  :service "settlement"
  :product "CUSTODY"
  :config {
    :markets [
      "LU"
      "DE"
      "FR"
      "US"
      "JP"
    ]
    :network "direct and sub-custodian"
  })

(resources.plan
  :resources [
    "custody account"
    "cash accounts"
    "accounting book of records"
  ]
  :services ["safekeeping" "settlement"])

(resources.provision
  :resource "cash-account-usd"
  :owner "cash operations"
  :config {
    :currency "USD"
    :interest "benchmark minus 25 bp"
  })

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Service providers of the fund
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(entity.register
  :entity-id "HALLORAN-WEISS"
  :entity-type "limited_company"
  :name "Halloran & Weiss S.à r.l."
  :jurisdiction "LU"
  :registration-number "B 88 402"
  :regulator "CSSF"
  :address "5 place de la Gare, L-1616 Luxembourg")

(entity.register
  :entity-id "NORTHERN-BRIDGE"
  :entity-type "limited_company"
  :name "Northern Bridge Fund Services S.A."
  :jurisdiction "LU"
  :registration-number "B 140 077"
  :regulator "CSSF"
  :address "33 boulevard Royal, L-2449 Luxembourg"
  :transition {
    :contact "transitions@northern-bridge.example"
    :notice "P90D"
    :records {
      "register of shareholders" "CSV, signed, daily until cut-over",
      "accounting book of records" {"format" "FundXML", "periods" 24},
      "tax reclaims in progress" ["2023 FR", "2024 FR", "2024 CH"]
    }
  })

(entity.register
  :entity-id "QUAI-PRIME"
  :entity-type "corporation"
  :name "Banque du Quai, prime brokerage"
  :jurisdiction "FR"
  :lei "529900AQBND3S6YJLY83"
  :address "21 quai Voltaire, 75007 Paris")

(role.assign :entity "HALLORAN-WEISS", :role "auditor", :from-date "2019-03-14")
(role.assign :entity "NORTHERN-BRIDGE", :role "outgoing_administrator", :to-date "2026-09-30")
(role.assign :entity "QUAI-PRIME", :role "prime_broker", :from-date "2020-01-01")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; What the fund may do, and values that name their attribute by its id
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(values.bind
  :attribute @attr{f0ece3db-87fe-521f-9def-3dc93c571230:fund.leverage}
  :value 2.25
  :entity "MERIDIAN-FUND"
  :source "private placement memorandum, section 7.3")

(values.bind
  :attribute @attr{"355797fd-f562-5eab-8566-eebb8f81cef4":risk.review_date}
  :value "2027-01-31"
  :entity "MERIDIAN-FUND"
  :source "Group standard 4.2: yearly for medium risk")

(values.bind
  :entity "MERIDIAN-AIFM"
  :source "register of supervised entities"
  :observed-at "2026-01-19T10:20:00+01:00"
  :bindings {
    :identity.legal_name "Meridian Capital Management S.A."
    :entity.registration_number "B 198 220"
    :entity.incorporation_date "2015-11-02"
    :entity.incorporation_country "LU"
    :entity.employees 34
    :entity.regulator "CSSF"
    :entity.regulated true
    :entity.website "https://meridian.example"
  })

(values.bind
  :entity "VON-ARX"
  :source "passport and file of the trustee"
  :observed-at "2026-01-19T11:00:00+01:00"
  :bindings {
    :identity.first_name "Beat"
    :identity.last_name "von Arx"
    :identity.date_of_birth "1958-12-02"
    :identity.nationality "CH"
    :identity.passport_number "X4410927"
    :identity.passport_expiry "2030-02-13"
    :risk.pep false
    :risk.source_of_wealth "Inheritance, textile works von Arx"
  })

(values.validate
  :attributes [
    @attr{ebf77111-768e-5fdd-8c36-066c7edd79b5:entity.lei}
    @attr{c82cf7a7-1273-5024-b259-f06f1704bf76:banking.iban}
  ]
  :result "passed"
  :rules ["mod 97", "register of GLEIF"])

(values.encrypt
  :attributes [@attr{314b356d-d306-5c9b-a727-384f6b793694:identity.passport_number}]
  :key-id "kms/clients/2026")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Identity of those who sign
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(identity.verify
  :entity "LINDQVIST"
  :document-id "DOC-PASS-LINDQVIST"
  :method "mrz_and_chip"
  :status "verified"
  :evidence ["DOC-PASS-LINDQVIST", "DOC-BILL-LINDQVIST"]
  :verified-at "2026-01-19T10:05:00+01:00")

(identity.verify
  :entity "MBEKI-ROSS"
  :document-id "DOC-PASS-MBEKI"
  :method "video call with agent"
  :status "pending")

(identity.attest
  :entity "MBEKI-ROSS"
  :attested-by "m.santos"
  :document-id "DOC-PASS-MBEKI"
  :statement "Seen in person at the premises of the AIFM, passport in hand."
  :date "2026-01-21")

(document.use
  :document-id "DOC-ACCOUNTS"
  :purpose "source of funds"
  :entity "MERIDIAN-FUND"
  :context "Subscriptions of 2024 are consistent with the register of shareholders.")

(document.link
  :document-id "DOC-PPM"
  :to-document "DOC-ARTICLES"
  :relationship "supplements")

;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Outside sources
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(external.query
  :source "register of commerce"
  :query "B254871"
  :entity "MERIDIAN-FUND"
  :parameters {"extract" "full", "language" "en", "history" true}
  :result {
    "status" "registered",
    "directors" ["Étienne Delacroix", "Astrid Helena Lindqvist"],
    "last filing" {"kind" "annual accounts", "deposited" "2025-05-12"}
  })

(compliance.screen
  :entity "CHANNEL-FID"
  :screen-type "adverse media"
  :lists ["world press", "courts of Jersey"]
  :result "clear")

(kyc.verify
  :entity "MERIDIAN-HOLD"
  :document-id "DOC-HOLD-REGISTER"
  :status "verified"
  :evidence ["DOC-HOLD-REGISTER"]
  :method "call back to the company secretary"
  :verified-by "m.santos")

(workflow.gate
  :gate-id "G2-ownership"
  :conditions ["every chain ends at a person", "shares add up", "trust deed on file"]
  :result "passed"
  :reason "Two beneficial owners; the pension fund is exempt.")

(audit.log
  :event "file_reviewed"
  :details "Second reader: ownership, signatories and tax forms agree with the documents."
  :actor "p.lindt"
  :at "2026-01-23T16:40:00+01:00"
  :data {"minutes" 55, "remarks" 0})

(tasks.create
  :task-id "T-101"
  :title "Ask the trustee for a certified copy of the deed of 2018"
  :assignee "k.oduya"
  :due-date "2026-02-10"
  :priority "high"
  :description "The copy on file is certified by a notary in Lugano; Jersey asks for one of its own.")

(communicate.request
  :to "operations@meridian.example"
  :subject "Documents still outstanding"
  :items [
    "Confirmation of the trustee"
    "Specimen signatures"
    "Bank reference"
  ]
  :due-date "2026-02-20"
  :message "Dear Ms Lindqvist,
please find below what is still missing.
Kind regards")

; All is in; four eyes next.
(workflow.transition
  :to-state "in_review"
  :reason "File complete apart from T-101"
  :by "k.oduya")
