;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;
; Five levels of ownership, and one circle: Harbour Mutual and Harbour Re hold each other.
;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;

(define-kyc-investigation
  :id "UBO-ORCHID"
  :target "ORCHID"
  :title "Beneficial owners of Orchid Trading Ltd"
  :jurisdiction "GB"
  :ubo-threshold 25%
  :deadline "2026-06-30"
  :priority "high")

(entity
  :id "ORCHID"
  :type "limited_company"
  :name "Orchid Trading Ltd"
  :jurisdiction "GB")

(entity
  :id "LOTUS"
  :type "limited_company"
  :name "Lotus Holdings B.V."
  :jurisdiction "NL")

(entity
  :id "JASMINE"
  :type "limited_company"
  :name "Jasmine Partners Pte. Ltd."
  :jurisdiction "SG")

(entity
  :id "HARBOUR"
  :type "insurer"
  :name "Harbour Mutual"
  :jurisdiction "BM")

(entity
  :id "HARBOUR-RE"
  :type "insurer"
  :name "Harbour Re"
  :jurisdiction "BM")

(entity
  :id "CEDAR"
  :type "foundation"
  :name "Stiftung Zeder"
  :jurisdiction "LI")

(entity
  :id "MAPLE"
  :type "trust"
  :name "Maple Settlement"
  :jurisdiction "GG")

(entity
  :id "ROWAN"
  :type "spv"
  :name "Rowan SPV 7"
  :jurisdiction "KY")

(entity
  :id "TAN"
  :type "proper_person"
  :name "Tan Wei Ming"
  :jurisdiction "SG")

(entity
  :id "OKAFOR"
  :type "proper_person"
  :name "Ngozi Okafor"
  :jurisdiction "GB")

(entity
  :id "MEIER"
  :type "proper_person"
  :name "Ruth Meier"
  :jurisdiction "LI")

(edge
  :from "LOTUS"
  :to "ORCHID"
  :type "ownership"
  :percent 60%)

(edge
  :from "JASMINE"
  :to "ORCHID"
  :type "ownership"
  :percent 40%)

(edge
  :from "HARBOUR"
  :to "LOTUS"
  :type "ownership"
  :percent 50%)

(edge
  :from "CEDAR"
  :to "LOTUS"
  :type "ownership"
  :percent 50%)

(edge
  :from "TAN"
  :to "JASMINE"
  :type "ownership"
  :percent 80%)

(edge
  :from "ROWAN"
  :to "JASMINE"
  :type "ownership"
  :percent 20%)

(edge
  :from "HARBOUR-RE"
  :to "HARBOUR"
  :type "ownership"
  :percent 30%)

(edge
  :from "HARBOUR"
  :to "HARBOUR-RE"
  :type "ownership"
  :percent 45%)

(edge
  :from "MAPLE"
  :to "HARBOUR"
  :type "ownership"
  :percent 70%)

(edge
  :from "MEIER"
  :to "CEDAR"
  :type "ownership"
  :percent 100%)

(edge
  :from "OKAFOR"
  :to "MAPLE"
  :type "ownership"
  :percent 100%)

(edge
  :from "MAPLE"
  :to "ROWAN"
  :type "ownership"
  :percent 100%)

(edge
  :from "OKAFOR"
  :to "HARBOUR-RE"
  :type "ownership"
  :percent 55%)

(ubo.get-ownership-structure
  :target "ORCHID"
  :depth 6
  :as-of "2026-05-01")

(ubo.unroll-structure
  :target "ORCHID"
  :depth 6
  :threshold 25%)

(ubo.calculate-indirect-ownership
  :target "ORCHID"
  :owner "OKAFOR"
  :percent 29%)

(ubo.identify-ownership-prong
  :target "ORCHID"
  :threshold 25%
  :owners ["TAN" "MEIER"])

(ubo.identify-control-prong
  :target "ORCHID"
  :controllers ["TAN"]
  :basis "Managing director with sole signature")

(ubo.apply-thresholds
  :target "ORCHID"
  :threshold 25%
  :jurisdiction "GB")

(ubo.outcome
  :target "ORCHID"
  :threshold 25%
  :ubos ["TAN" "MEIER"]
  :at "2026-05-04T12:00:00Z"
  :method "products along all chains, circles cut")
