;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; A derivatives relationship from the master agreement to the close-out.
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(case.create
  :case-id "ISDA-ZURICH-ASIA"
  :title "ISDA relationship Bank of the Lake and Straits Commodities"
  :case-type "isda"
  :jurisdiction "GB"
  :priority "normal")

(entity.register
  :entity-id "LAKE-BANK"
  :entity-type "bank"
  :name "Bank of the Lake AG"
  :jurisdiction "CH")

(entity.register
  :entity-id "STRAITS"
  :entity-type "limited_company"
  :name "Straits Commodities Pte. Ltd."
  :jurisdiction "SG")

(entity.register
  :entity-id "DELTA-BANK"
  :entity-type "bank"
  :name "Delta Bank N.V."
  :jurisdiction "NL")

(document.catalog
  :document-id "DOC-ISDA-2002"
  :document-type "isda_master"
  :status "received")

(document.catalog
  :document-id "DOC-CSA-2016"
  :document-type "credit_support_annex"
  :status "received")

(isda.establish_master
  :agreement-id "ISDA-2024-001"
  :party-a "LAKE-BANK"
  :party-b "STRAITS"
  :version "2002"
  :governing-law "English law"
  :agreement-date "2024-01-15"
  :effective-date "2024-01-15"
  :multicurrency true
  :document-id "DOC-ISDA-2002")

(isda.establish_csa
  :csa-id "CSA-2024-001"
  :master-agreement-id "ISDA-2024-001"
  :base-currency "USD"
  :threshold-party-a 5000000USD
  :threshold-party-b 0USD
  :minimum-transfer 500000USD
  :eligible-collateral [
    "cash_usd"
    "us_treasury"
    "gilt"
  ]
  :effective-date "2024-01-15"
  :document-id "DOC-CSA-2016")

(isda.execute_trade
  :trade-id "IRS-0001"
  :master-agreement-id "ISDA-2024-001"
  :product-type "IRS"
  :trade-date "2024-02-01"
  :effective-date "2024-02-05"
  :termination-date "2029-02-05"
  :notional 50000000USD
  :payer "STRAITS"
  :receiver "LAKE-BANK"
  :underlying "SOFR"
  :terms {
    :fixed_rate 3.875%
    :day_count "30/360"
    :frequency "quarterly"
  })

(isda.value_portfolio
  :valuation-id "VAL-1"
  :csa-id "CSA-2024-001"
  :valuation-date "2024-06-28"
  :net-mtm -7250000.25USD
  :trades ["IRS-0001"]
  :agent "LAKE-BANK")

(isda.margin_call
  :call-id "MC-1"
  :csa-id "CSA-2024-001"
  :call-date "2024-07-01"
  :exposure 7250000.25USD
  :call-amount 7500000USD
  :calling-party "LAKE-BANK"
  :valuation-date "2024-06-28")

(isda.post_collateral
  :posting-id "PC-1"
  :call-id "MC-1"
  :collateral-type "us_treasury"
  :amount 7500000USD
  :posting-party "STRAITS"
  :receiving-party "LAKE-BANK"
  :posting-date "2024-07-03")

(isda.dispute
  :dispute-id "DP-1"
  :call-id "MC-1"
  :reason "Haircut of the ten-year note"
  :disputed-amount 212500USD
  :raised-by "STRAITS"
  :raised-on "2024-07-03")

(isda.amend_agreement
  :amendment-id "AM-1"
  :agreement-id "ISDA-2024-001"
  :amendment-date "2024-09-02"
  :effective-date "2024-09-16"
  :changes {
    :fallback "ISDA 2020 IBOR fallbacks protocol"
  })

(isda.novate_trade
  :novation-id "NV-1"
  :trade-id "IRS-0001"
  :transferor "STRAITS"
  :transferee "DELTA-BANK"
  :remaining-party "LAKE-BANK"
  :novation-date "2025-03-03")

(isda.manage_netting_set
  :netting-set-id "NS-1"
  :master-agreement-id "ISDA-2024-001"
  :trades ["IRS-0001"]
  :method "close-out netting")

(isda.declare_termination_event
  :event-id "TE-1"
  :master-agreement-id "ISDA-2024-001"
  :event-type "illegality"
  :affected-party "STRAITS"
  :declaration-date "2025-11-10"
  :cure-period 3)

(isda.close_out
  :close-out-id "CO-1"
  :master-agreement-id "ISDA-2024-001"
  :termination-date "2025-11-14"
  :close-out-amount 6980120.75USD
  :method "replacement value"
  :trades ["IRS-0001"])
