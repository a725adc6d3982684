-- depends: 0018-cases-vocabulary
-- The dictionary: what a value may be, per tenant, with a starter set; and the rules that values keep.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- ISO 13616, ISO 17442: the digits, letters as 10 to 35, are 1 modulo 97. ISO 6166 sums its digits instead.
CREATE FUNCTION cases.checks_out(code text, kind text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH digits AS (
        SELECT string_agg(CASE WHEN c.letter ~ '[A-Z]' THEN (ascii(c.letter) - 55)::text ELSE c.letter END, '' ORDER BY c.n) AS all_of_it
          FROM regexp_split_to_table(CASE kind WHEN 'IBAN' THEN substr(code, 5) || left(code, 4) ELSE code END, '')
               WITH ORDINALITY AS c (letter, n)
    )
    SELECT CASE kind
           WHEN 'ISIN' THEN (SELECT sum(CASE WHEN (length(d.all_of_it) - g.n) % 2 = 1
                                             THEN 2 * g.digit::int / 10 + 2 * g.digit::int % 10 ELSE g.digit::int END) % 10 = 0
                               FROM regexp_split_to_table(d.all_of_it, '') WITH ORDINALITY AS g (digit, n))
           ELSE d.all_of_it::numeric % 97 = 1
           END
      FROM digits AS d;
END;

COMMENT ON FUNCTION cases.checks_out(text, text) IS 'Whether the check digits of an IBAN, LEI or ISIN (letters and digits, without spaces) are right.';

CREATE FUNCTION cases.iban_length(country text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN substring('AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
                     FROM country || '([0-9]{2})')::integer;

COMMENT ON FUNCTION cases.iban_length(text) IS 'How long an IBAN of the country is; NULL for a country without any.';

-- One place says what a format is; the service asks here and has no rules of its own.
CREATE FUNCTION cases.misformed(format text, value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    bare text := replace(value, ' ', '');
BEGIN
    RETURN CASE format
        WHEN 'ISO-3166-1' THEN
            CASE WHEN value !~ '^[A-Z]{2}$' OR strpos('AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW', value) = 0
                 THEN 'not a country of ISO 3166-1, such as LU' END
        WHEN 'ISO-4217' THEN
            CASE WHEN value !~ '^[A-Z]{3}$' OR strpos('AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG', value) = 0
                 THEN 'not a currency of ISO 4217, such as EUR' END
        WHEN 'email' THEN
            CASE WHEN value !~ '^[^@[:space:]]{1,64}@[^@[:space:].]+(\.[^@[:space:].]+)+$' OR length(value) > 254
                 THEN 'not an e-mail address' END
        WHEN 'E.164' THEN
            CASE WHEN value !~ '^\+[1-9][0-9]{6,14}$' THEN 'not a telephone number of E.164, such as +352123456' END
        WHEN 'IBAN' THEN
            CASE WHEN bare !~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$' THEN 'not an IBAN'
                 WHEN cases.iban_length(left(bare, 2)) IS NULL THEN 'no IBAN begins with ' || left(bare, 2)
                 WHEN cases.iban_length(left(bare, 2)) <> length(bare)
                 THEN 'an IBAN of ' || left(bare, 2) || ' has ' || cases.iban_length(left(bare, 2)) || ' characters'
                 WHEN NOT cases.checks_out(bare, 'IBAN') THEN 'the check digits of the IBAN are wrong' END
        WHEN 'BIC' THEN
            CASE WHEN value !~ '^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$' THEN 'not a BIC'
                 WHEN strpos('AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK', substr(value, 5, 2)) = 0
                 THEN 'the BIC names no country' END
        WHEN 'LEI' THEN
            CASE WHEN value !~ '^[A-Z0-9]{18}[0-9]{2}$' THEN 'not an LEI'
                 WHEN NOT cases.checks_out(value, 'LEI') THEN 'the check digits of the LEI are wrong' END
        WHEN 'ISIN' THEN
            CASE WHEN value !~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$' THEN 'not an ISIN'
                 WHEN NOT cases.checks_out(value, 'ISIN') THEN 'the check digit of the ISIN is wrong' END
    END;
END
$$;

COMMENT ON FUNCTION cases.misformed(text, text) IS 'Why a text is not of a format; NULL when it is, or when the format is not one of text.';

-- Says why, so that the one who wrote the value can be told.
CREATE FUNCTION cases.misfit(mask text, rules jsonb, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    plain text := value #>> '{}';
    kind text := jsonb_typeof(value);
    amount numeric;
    low text := rules #>> '{range,min}';
    high text := rules #>> '{range,max}';
    wrong text;
BEGIN
    IF value IS NULL OR kind = 'null' THEN
        RETURN NULL;
    END IF;
    wrong := CASE mask
        WHEN 'string' THEN CASE WHEN kind <> 'string' THEN 'a string' END
        WHEN 'enum' THEN CASE WHEN kind <> 'string' THEN 'one of the values' END
        WHEN 'integer' THEN CASE WHEN kind <> 'number' OR trunc(plain::numeric) <> plain::numeric THEN 'a whole number' END
        WHEN 'decimal' THEN CASE WHEN kind <> 'number' THEN 'a number' END
        WHEN 'boolean' THEN CASE WHEN kind <> 'boolean' THEN 'true or false' END
        WHEN 'percent' THEN CASE WHEN kind <> 'number' AND jsonb_typeof(value -> 'percent') IS DISTINCT FROM 'number' THEN 'a percentage' END
        WHEN 'money' THEN CASE WHEN jsonb_typeof(value -> 'amount') IS DISTINCT FROM 'number'
                                 OR cases.misformed('ISO-4217', coalesce(value ->> 'currency', '')) IS NOT NULL
                               THEN 'money: an amount and a currency' END
        WHEN 'date' THEN CASE WHEN kind <> 'string' OR plain !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
                                OR NOT pg_input_is_valid(plain, 'date') THEN 'a date such as 2026-01-31' END
        WHEN 'datetime' THEN CASE WHEN kind <> 'string' OR plain !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}'
                                    OR NOT pg_input_is_valid(plain, 'timestamptz') THEN 'a time such as 2026-01-31T12:00:00Z' END
        WHEN 'uuid' THEN CASE WHEN kind <> 'string' OR plain !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN 'a uuid' END
    END;
    IF wrong IS NOT NULL THEN
        RETURN 'must be ' || wrong;
    END IF;
    IF rules ? 'values' AND NOT rules -> 'values' @> value THEN
        RETURN 'must be one of ' || (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(rules -> 'values') AS v);
    END IF;
    IF kind = 'string' AND rules ? 'length'
       AND char_length(plain) NOT BETWEEN coalesce((rules #>> '{length,min}')::integer, 0)
                                      AND coalesce((rules #>> '{length,max}')::integer, 1000000) THEN
        RETURN 'must have ' || coalesce(rules #>> '{length,min}', '0') || ' to '
               || coalesce(rules #>> '{length,max}', '1000000') || ' characters';
    END IF;
    IF kind = 'string' AND rules ? 'pattern' AND plain !~ ('^(?:' || (rules ->> 'pattern') || ')$') THEN
        RETURN 'must be of the form ' || (rules ->> 'pattern');
    END IF;
    IF kind = 'string' AND rules ? 'format' THEN
        wrong := cases.misformed(rules ->> 'format', plain);
        IF wrong IS NOT NULL THEN
            RETURN wrong;
        END IF;
    END IF;
    IF mask IN ('date', 'datetime') THEN
        IF plain < low OR plain > high THEN
            RETURN 'must be ' || coalesce('from ' || low, '') || coalesce(' to ' || high, '');
        END IF;
    ELSIF mask IN ('integer', 'decimal', 'percent', 'money') THEN
        amount := coalesce(value ->> 'percent', value ->> 'amount', plain)::numeric;
        IF mask = 'percent' OR rules ->> 'format' = 'percentage' THEN
            low := coalesce(low, '0');
            high := coalesce(high, '100');
        END IF;
        IF amount < low::numeric OR amount > high::numeric THEN
            RETURN 'must be ' || coalesce('from ' || low, '') || coalesce(' to ' || high, '');
        END IF;
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION cases.misfit(text, jsonb, jsonb) IS 'Why a value does not fit a mask and rules; NULL when it fits. null always fits.';

-- A pattern is tried once, so that one that is no regular expression is refused here and not when a value comes.
CREATE FUNCTION cases.rules_fit(mask text, rules jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN jsonb_typeof(rules) <> 'object' THEN false
                ELSE rules - '{values,pattern,range,length,format}'::text[] = '{}'
                 AND (NOT rules ? 'values' OR CASE WHEN jsonb_typeof(rules -> 'values') = 'array'
                                                   THEN jsonb_array_length(rules -> 'values') BETWEEN 1 AND 500 ELSE false END)
                 AND (mask <> 'enum' OR rules ? 'values')
                 AND (NOT rules ? 'pattern'
                      OR CASE WHEN jsonb_typeof(rules -> 'pattern') = 'string' AND rules ->> 'pattern' !~ '\\[1-9]'
                              THEN length(rules ->> 'pattern') <= 300 AND regexp_count('', rules ->> 'pattern') >= 0 ELSE false END)
                 AND (NOT rules ? 'range' OR CASE WHEN jsonb_typeof(rules -> 'range') <> 'object' THEN false
                         ELSE (rules -> 'range') - '{min,max}'::text[] = '{}'
                          AND (mask IN ('date', 'datetime') OR NOT EXISTS (
                               SELECT FROM jsonb_each(rules -> 'range') AS r WHERE jsonb_typeof(r.value) <> 'number')) END)
                 AND (NOT rules ? 'length' OR CASE WHEN jsonb_typeof(rules -> 'length') <> 'object' THEN false
                         ELSE (rules -> 'length') - '{min,max}'::text[] = '{}'
                          AND NOT EXISTS (SELECT FROM jsonb_each(rules -> 'length') AS r
                                           WHERE r.value::text !~ '^[0-9]{1,6}$') END)
                 AND (NOT rules ? 'format'
                      OR rules ->> 'format' IN ('ISO-3166-1', 'ISO-4217', 'email', 'E.164', 'IBAN', 'BIC', 'LEI', 'ISIN', 'percentage'))
           END;
END;

COMMENT ON FUNCTION cases.rules_fit(text, jsonb) IS 'Whether rules are {values?, pattern?, range?, length?, format?} that can be applied to the mask.';

GRANT EXECUTE ON FUNCTION cases.checks_out(text, text), cases.iban_length(text), cases.misformed(text, text),
    cases.misfit(text, jsonb, jsonb), cases.rules_fit(text, jsonb) TO quarry_app, quarry_readonly, quarry_backup;

CREATE TABLE cases.starter_attributes (
    attribute_id uuid NOT NULL,
    name text NOT NULL,
    group_id text NOT NULL,
    mask text NOT NULL,
    rules jsonb NOT NULL,
    sensitivity text NOT NULL,
    long_description text NOT NULL,
    CONSTRAINT starter_attributes_pkey PRIMARY KEY (attribute_id),
    CONSTRAINT starter_attributes_name_key UNIQUE (name)
);

COMMENT ON TABLE cases.starter_attributes IS 'What every new tenant''s dictionary begins with.';

COMMENT ON COLUMN cases.starter_attributes.attribute_id IS 'The same in every tenant.';

COMMENT ON COLUMN cases.starter_attributes.name IS 'As in the dictionary.';

COMMENT ON COLUMN cases.starter_attributes.group_id IS 'As in the dictionary.';

COMMENT ON COLUMN cases.starter_attributes.mask IS 'As in the dictionary.';

COMMENT ON COLUMN cases.starter_attributes.rules IS 'As in the dictionary.';

COMMENT ON COLUMN cases.starter_attributes.sensitivity IS 'As in the dictionary.';

COMMENT ON COLUMN cases.starter_attributes.long_description IS 'As in the dictionary.';

GRANT SELECT ON cases.starter_attributes TO quarry_app;

INSERT INTO cases.starter_attributes (attribute_id, name, group_id, mask, rules, sensitivity, long_description)
SELECT a.attribute_id, a.name, a.group_id, a.mask, a.rules, a.sensitivity, a.long_description
  FROM jsonb_to_recordset($attributes$[
{"attribute_id": "cdf3c6fb-580f-5773-9d5f-ecb776163ad9", "name": "identity.legal_name", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 300}}, "sensitivity": "internal", "long_description": "Full legal name as registered or as in the passport."},
{"attribute_id": "479a4eca-4c1d-59be-93b4-c9983c717e53", "name": "identity.trading_name", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 300}}, "sensitivity": "public", "long_description": "Name under which business is done."},
{"attribute_id": "4da25427-fcf8-54dc-9145-6dacfe62e03f", "name": "identity.first_name", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "confidential", "long_description": "Given names."},
{"attribute_id": "6cdfa220-ac26-5f7a-bfe2-b22460be1a74", "name": "identity.last_name", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "confidential", "long_description": "Family name."},
{"attribute_id": "5c10da10-d03b-5bed-b748-cf37e144f269", "name": "identity.previous_names", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 300}}, "sensitivity": "confidential", "long_description": "Earlier names, separated by semicolons."},
{"attribute_id": "fd5e45a7-d3ce-5a93-b926-1e956c1b239e", "name": "identity.date_of_birth", "group_id": "identity", "mask": "date", "rules": {"range": {"min": "1900-01-01"}}, "sensitivity": "confidential", "long_description": "Date of birth of a natural person."},
{"attribute_id": "3d71d2f6-2083-5bf4-85b8-7777b8024b4e", "name": "identity.place_of_birth", "group_id": "identity", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "confidential", "long_description": "Town and country of birth."},
{"attribute_id": "9864ab59-12d4-50af-b4fa-e6a457e2fdd8", "name": "identity.nationality", "group_id": "identity", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "confidential", "long_description": "Nationality."},
{"attribute_id": "606c8433-d2cc-5225-a3e3-dc263d7031de", "name": "identity.second_nationality", "group_id": "identity", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "confidential", "long_description": "A further nationality."},
{"attribute_id": "53843350-43ae-59b3-8754-806abdfc2c85", "name": "identity.gender", "group_id": "identity", "mask": "enum", "rules": {"values": ["female", "male", "other", "undisclosed"]}, "sensitivity": "confidential", "long_description": "Gender as in the identity document."},
{"attribute_id": "314b356d-d306-5c9b-a727-384f6b793694", "name": "identity.passport_number", "group_id": "identity", "mask": "string", "rules": {"pattern": "[A-Z0-9]{5,15}"}, "sensitivity": "restricted", "long_description": "Number of the passport."},
{"attribute_id": "1eb85015-855e-55ce-8521-104305ecf90d", "name": "identity.passport_expiry", "group_id": "identity", "mask": "date", "rules": {}, "sensitivity": "confidential", "long_description": "Last day on which the passport is valid."},
{"attribute_id": "a7c8e273-06d9-59b3-b54a-f2bc78c02a69", "name": "identity.national_id", "group_id": "identity", "mask": "string", "rules": {"pattern": "[A-Z0-9./ -]{4,30}"}, "sensitivity": "restricted", "long_description": "National identity number."},
{"attribute_id": "df522c11-7f39-5177-88d8-fb7f824af452", "name": "entity.type", "group_id": "entity", "mask": "enum", "rules": {"values": ["limited_company", "public_company", "partnership", "limited_partnership", "proper_person", "trust", "foundation", "fund", "hedge_fund", "pension_fund", "bank", "insurer", "government", "charity", "spv", "other"]}, "sensitivity": "internal", "long_description": "Legal form."},
{"attribute_id": "ebf77111-768e-5fdd-8c36-066c7edd79b5", "name": "entity.lei", "group_id": "entity", "mask": "string", "rules": {"format": "LEI"}, "sensitivity": "public", "long_description": "Legal Entity Identifier (ISO 17442)."},
{"attribute_id": "ba21d9df-ecdf-54b1-be38-8524503da182", "name": "entity.registration_number", "group_id": "entity", "mask": "string", "rules": {"pattern": "[A-Za-z0-9./ -]{2,40}"}, "sensitivity": "public", "long_description": "Number in the commercial register."},
{"attribute_id": "afbba4e7-9183-522f-b6bf-8a4769f7141c", "name": "entity.registry", "group_id": "entity", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "public", "long_description": "The register that holds the number."},
{"attribute_id": "7ce7b143-4e20-5264-a9ae-c82792d85a5e", "name": "entity.incorporation_date", "group_id": "entity", "mask": "date", "rules": {"range": {"min": "1600-01-01"}}, "sensitivity": "public", "long_description": "Date of incorporation."},
{"attribute_id": "8e2ba2f7-f8d9-551a-83f8-937de2364ba8", "name": "entity.incorporation_country", "group_id": "entity", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "public", "long_description": "Country of incorporation."},
{"attribute_id": "4eb9603f-ad34-5fe2-a655-187c122129fc", "name": "entity.status", "group_id": "entity", "mask": "enum", "rules": {"values": ["active", "dormant", "in_liquidation", "dissolved"]}, "sensitivity": "public", "long_description": "Status in the register."},
{"attribute_id": "e6dccfcf-e106-54fc-a210-94ed8bffd0d7", "name": "entity.industry_code", "group_id": "entity", "mask": "string", "rules": {"pattern": "[0-9]{2,6}"}, "sensitivity": "internal", "long_description": "Industry (NACE or SIC) code."},
{"attribute_id": "7e463f9d-d21c-51f8-a947-61b71239baa9", "name": "entity.employees", "group_id": "entity", "mask": "integer", "rules": {"range": {"min": 0}}, "sensitivity": "internal", "long_description": "Number of employees."},
{"attribute_id": "957bcee0-8df7-5f8c-9bff-963d1888107c", "name": "entity.regulator", "group_id": "entity", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "public", "long_description": "Supervising authority."},
{"attribute_id": "65ee26f5-63fa-585e-b6ae-e5d3735283d0", "name": "entity.regulated", "group_id": "entity", "mask": "boolean", "rules": {}, "sensitivity": "public", "long_description": "Whether it is supervised."},
{"attribute_id": "48f0a813-5a68-5033-ade8-10f094bce536", "name": "entity.listed", "group_id": "entity", "mask": "boolean", "rules": {}, "sensitivity": "public", "long_description": "Whether its shares are listed."},
{"attribute_id": "6bff40c6-0937-54c0-bd5f-a4b243cd4ef3", "name": "entity.stock_exchange", "group_id": "entity", "mask": "string", "rules": {"pattern": "[A-Z0-9]{4}"}, "sensitivity": "public", "long_description": "Market identifier code (ISO 10383) of the listing."},
{"attribute_id": "8e19e27b-2c8c-5f9d-9671-bd2d9d4966d1", "name": "entity.ticker", "group_id": "entity", "mask": "string", "rules": {"length": {"min": 1, "max": 20}}, "sensitivity": "public", "long_description": "Ticker of the listing."},
{"attribute_id": "4ed8623a-ea79-5494-a45e-9e008de40492", "name": "entity.website", "group_id": "entity", "mask": "string", "rules": {"pattern": "https?://[^ ]{3,250}"}, "sensitivity": "public", "long_description": "Website."},
{"attribute_id": "368709d9-f5ea-5cd7-88d1-de9f2d4ec7ac", "name": "address.line_1", "group_id": "address", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "confidential", "long_description": "Street and number."},
{"attribute_id": "6be4c2aa-4a7a-545f-af4d-46bf2a47dc6f", "name": "address.line_2", "group_id": "address", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "confidential", "long_description": "Further line."},
{"attribute_id": "e7b49842-f6de-5e51-b86b-57d5b7ef167a", "name": "address.city", "group_id": "address", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "confidential", "long_description": "Town."},
{"attribute_id": "19f7f7a5-48be-599b-9d19-d3f58f9240f4", "name": "address.region", "group_id": "address", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "confidential", "long_description": "Region, state or canton."},
{"attribute_id": "96458b92-dc3b-557a-b330-8bfa23298a4d", "name": "address.postal_code", "group_id": "address", "mask": "string", "rules": {"pattern": "[A-Za-z0-9 -]{2,12}"}, "sensitivity": "confidential", "long_description": "Postal code."},
{"attribute_id": "dd43317a-658c-5b86-8575-798290ef693e", "name": "address.country", "group_id": "address", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "confidential", "long_description": "Country."},
{"attribute_id": "80039069-eb9f-51f4-ba93-51ae03b6f222", "name": "address.registered_country", "group_id": "address", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "public", "long_description": "Country of the registered office."},
{"attribute_id": "b9acf788-2d10-51f9-9ae7-0c97bf91c025", "name": "address.type", "group_id": "address", "mask": "enum", "rules": {"values": ["registered", "business", "residential", "correspondence"]}, "sensitivity": "internal", "long_description": "What the address is used for."},
{"attribute_id": "e368d294-4983-56c3-b5e0-d50023c01da8", "name": "address.since", "group_id": "address", "mask": "date", "rules": {}, "sensitivity": "confidential", "long_description": "Since when."},
{"attribute_id": "791bd589-566d-5c35-9abf-c2e3cf09d4c1", "name": "contact.email", "group_id": "contact", "mask": "string", "rules": {"format": "email"}, "sensitivity": "confidential", "long_description": "E-mail address."},
{"attribute_id": "01f95230-4429-519c-a550-1620831f1535", "name": "contact.phone", "group_id": "contact", "mask": "string", "rules": {"format": "E.164"}, "sensitivity": "confidential", "long_description": "Telephone number."},
{"attribute_id": "b0f7728c-3444-5b16-b830-1400aba73acb", "name": "contact.person", "group_id": "contact", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "confidential", "long_description": "Person to speak to."},
{"attribute_id": "47dafbf6-d424-5b71-a597-7effffa6f1ba", "name": "contact.language", "group_id": "contact", "mask": "string", "rules": {"pattern": "[a-z]{2,3}(-[A-Z]{2})?"}, "sensitivity": "internal", "long_description": "Language for correspondence."},
{"attribute_id": "c65523e8-09c3-5182-9c47-3f2531fa2b3c", "name": "ownership.direct_percent", "group_id": "ownership", "mask": "percent", "rules": {"format": "percentage"}, "sensitivity": "internal", "long_description": "Direct share."},
{"attribute_id": "6354c9f8-a0c8-5102-bb02-ca29ca02c93b", "name": "ownership.effective_percent", "group_id": "ownership", "mask": "percent", "rules": {"format": "percentage"}, "sensitivity": "internal", "long_description": "Share through all chains."},
{"attribute_id": "eaa9e48f-fe0b-5096-9e00-0a0e25a7fabc", "name": "ownership.voting_percent", "group_id": "ownership", "mask": "percent", "rules": {"format": "percentage"}, "sensitivity": "internal", "long_description": "Share of the votes."},
{"attribute_id": "a52268e1-c9fd-55c9-a42f-55e142db30ca", "name": "ownership.is_ubo", "group_id": "ownership", "mask": "boolean", "rules": {}, "sensitivity": "internal", "long_description": "Whether an ultimate beneficial owner."},
{"attribute_id": "c0457b8a-0c7f-56a8-aaba-78a51ec89d6d", "name": "ownership.control_type", "group_id": "ownership", "mask": "enum", "rules": {"values": ["shareholding", "voting_rights", "board", "other_means", "none"]}, "sensitivity": "internal", "long_description": "How control is held."},
{"attribute_id": "6f816148-ce87-5350-9d04-cd7962466cfc", "name": "ownership.since", "group_id": "ownership", "mask": "date", "rules": {}, "sensitivity": "internal", "long_description": "Since when the share is held."},
{"attribute_id": "45c8f50a-e7e0-5abd-81dd-b5c604fddb84", "name": "ownership.share_class", "group_id": "ownership", "mask": "string", "rules": {"length": {"min": 1, "max": 50}}, "sensitivity": "internal", "long_description": "Class of the shares."},
{"attribute_id": "dffacbda-a173-5086-8638-041a4131e7f0", "name": "ownership.shares", "group_id": "ownership", "mask": "integer", "rules": {"range": {"min": 0}}, "sensitivity": "internal", "long_description": "Number of shares."},
{"attribute_id": "8f5028c2-36db-5b19-be30-4d2f870e9610", "name": "ownership.nominee", "group_id": "ownership", "mask": "boolean", "rules": {}, "sensitivity": "internal", "long_description": "Whether held for another."},
{"attribute_id": "ca344b24-ca37-514e-8c8b-4831a990eebf", "name": "tax.residence", "group_id": "tax", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "confidential", "long_description": "Country of tax residence."},
{"attribute_id": "fcda0344-f674-53f4-9598-552adf969ece", "name": "tax.tin", "group_id": "tax", "mask": "string", "rules": {"pattern": "[A-Za-z0-9./ -]{4,30}"}, "sensitivity": "restricted", "long_description": "Tax identification number."},
{"attribute_id": "f1940add-9b9c-525b-b319-389d0027b9ab", "name": "tax.tin_missing_reason", "group_id": "tax", "mask": "enum", "rules": {"values": ["country_issues_none", "not_required", "applied_for"]}, "sensitivity": "confidential", "long_description": "Why there is no number."},
{"attribute_id": "32af8d0a-7570-51c1-bcf8-9003c2790a12", "name": "tax.us_person", "group_id": "tax", "mask": "boolean", "rules": {}, "sensitivity": "confidential", "long_description": "Whether a US person."},
{"attribute_id": "3f741c99-3fb1-579f-8589-976d7d12613d", "name": "tax.fatca_status", "group_id": "tax", "mask": "enum", "rules": {"values": ["active_nffe", "passive_nffe", "participating_ffi", "deemed_compliant_ffi", "exempt", "non_participating_ffi"]}, "sensitivity": "confidential", "long_description": "FATCA classification."},
{"attribute_id": "603e6ff9-5c90-5bc1-8ab0-b1f0eccf4baa", "name": "tax.giin", "group_id": "tax", "mask": "string", "rules": {"pattern": "[A-NP-Z0-9]{6}\\.[A-NP-Z0-9]{5}\\.[A-Z]{2}\\.[0-9]{3}"}, "sensitivity": "public", "long_description": "Global Intermediary Identification Number."},
{"attribute_id": "627483a2-8599-5282-93f8-7db98d8204f8", "name": "tax.crs_status", "group_id": "tax", "mask": "enum", "rules": {"values": ["active_nfe", "passive_nfe", "financial_institution", "government", "international_organisation"]}, "sensitivity": "confidential", "long_description": "CRS classification."},
{"attribute_id": "3a43feaa-8b99-5107-8535-97606da1f972", "name": "tax.w8_form", "group_id": "tax", "mask": "enum", "rules": {"values": ["W-8BEN", "W-8BEN-E", "W-8IMY", "W-8EXP", "W-9"]}, "sensitivity": "confidential", "long_description": "US tax form on file."},
{"attribute_id": "ff7b5f0c-fb62-5e8f-8bf3-23bdea8f97f9", "name": "tax.w8_signed", "group_id": "tax", "mask": "date", "rules": {}, "sensitivity": "confidential", "long_description": "When the form was signed."},
{"attribute_id": "ee91a5c2-1b61-5719-9841-9f91f7245ddd", "name": "tax.vat_number", "group_id": "tax", "mask": "string", "rules": {"pattern": "[A-Z]{2}[A-Z0-9+*]{2,13}"}, "sensitivity": "internal", "long_description": "VAT number."},
{"attribute_id": "c82cf7a7-1273-5024-b259-f06f1704bf76", "name": "banking.iban", "group_id": "banking", "mask": "string", "rules": {"format": "IBAN"}, "sensitivity": "restricted", "long_description": "Account number."},
{"attribute_id": "a5b99f61-6f0b-54c5-975c-b955cb0e3a51", "name": "banking.bic", "group_id": "banking", "mask": "string", "rules": {"format": "BIC"}, "sensitivity": "internal", "long_description": "Bank identifier."},
{"attribute_id": "6025999b-0c05-5935-b3d8-26d47156e7c8", "name": "banking.account_name", "group_id": "banking", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "confidential", "long_description": "Holder of the account."},
{"attribute_id": "da5a8d8b-0663-55ef-8d73-0d8deafb8f94", "name": "banking.currency", "group_id": "banking", "mask": "string", "rules": {"format": "ISO-4217"}, "sensitivity": "internal", "long_description": "Currency of the account."},
{"attribute_id": "2c2dde49-2e86-5e15-a929-12608aef502d", "name": "banking.bank_name", "group_id": "banking", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "internal", "long_description": "Name of the bank."},
{"attribute_id": "a8fefe3e-7fca-551d-8019-e51d570fc9fc", "name": "banking.correspondent_bic", "group_id": "banking", "mask": "string", "rules": {"format": "BIC"}, "sensitivity": "internal", "long_description": "Correspondent bank."},
{"attribute_id": "3a35bc6c-66e9-5a9b-86d1-4f825c9db919", "name": "banking.expected_turnover", "group_id": "banking", "mask": "money", "rules": {}, "sensitivity": "confidential", "long_description": "Turnover expected per year."},
{"attribute_id": "4e199b88-a50e-5386-a75c-4f8e264aed19", "name": "risk.rating", "group_id": "risk", "mask": "enum", "rules": {"values": ["low", "medium", "high", "prohibited"]}, "sensitivity": "confidential", "long_description": "Overall rating."},
{"attribute_id": "140cfc40-717f-5a5b-bcfc-1582ee0bd8c8", "name": "risk.score", "group_id": "risk", "mask": "decimal", "rules": {"range": {"min": 0, "max": 100}}, "sensitivity": "confidential", "long_description": "Score from 0 to 100."},
{"attribute_id": "03f33f38-6c37-5740-bac4-ca22571dc446", "name": "risk.pep", "group_id": "risk", "mask": "boolean", "rules": {}, "sensitivity": "restricted", "long_description": "Politically exposed."},
{"attribute_id": "995f38b5-be05-538e-a20a-f3243b86e41c", "name": "risk.pep_function", "group_id": "risk", "mask": "string", "rules": {"length": {"min": 1, "max": 300}}, "sensitivity": "restricted", "long_description": "Public function held."},
{"attribute_id": "7bbd58cc-38a5-5df3-85b7-ab06ccd89b79", "name": "risk.sanctions_hit", "group_id": "risk", "mask": "boolean", "rules": {}, "sensitivity": "restricted", "long_description": "Hit on a sanctions list."},
{"attribute_id": "c99bedc3-77c3-5e84-b3f4-9b8c5e631152", "name": "risk.adverse_media", "group_id": "risk", "mask": "boolean", "rules": {}, "sensitivity": "restricted", "long_description": "Adverse media found."},
{"attribute_id": "0d43ab7e-8cee-582f-9acc-eb38fec4ec92", "name": "risk.high_risk_country", "group_id": "risk", "mask": "boolean", "rules": {}, "sensitivity": "confidential", "long_description": "Link to a country of high risk."},
{"attribute_id": "a30506d8-6743-5e07-8442-b52f691eb4eb", "name": "risk.source_of_wealth", "group_id": "risk", "mask": "string", "rules": {"length": {"min": 1, "max": 2000}}, "sensitivity": "restricted", "long_description": "Where the wealth comes from."},
{"attribute_id": "22e6d285-dce3-5974-a63d-510a1fb1ef5b", "name": "risk.source_of_funds", "group_id": "risk", "mask": "string", "rules": {"length": {"min": 1, "max": 2000}}, "sensitivity": "restricted", "long_description": "Where the money comes from."},
{"attribute_id": "355797fd-f562-5eab-8566-eebb8f81cef4", "name": "risk.review_date", "group_id": "risk", "mask": "date", "rules": {}, "sensitivity": "internal", "long_description": "Next review."},
{"attribute_id": "86cd9a5b-8340-53cc-bc78-f7e7ed4d4e26", "name": "risk.due_diligence_level", "group_id": "risk", "mask": "enum", "rules": {"values": ["simplified", "standard", "enhanced"]}, "sensitivity": "internal", "long_description": "Level of due diligence."},
{"attribute_id": "015ea6d8-b684-5586-8b07-7291c1b2864a", "name": "risk.screened_at", "group_id": "risk", "mask": "datetime", "rules": {}, "sensitivity": "internal", "long_description": "Last screening."},
{"attribute_id": "81afcb80-4419-54ba-84dd-359a60ad05f2", "name": "product.code", "group_id": "product", "mask": "string", "rules": {"pattern": "[A-Z][A-Z0-9_]{1,40}"}, "sensitivity": "public", "long_description": "Product."},
{"attribute_id": "973d2cc8-6506-5367-914c-46d1761b2984", "name": "product.investment_amount", "group_id": "product", "mask": "money", "rules": {}, "sensitivity": "confidential", "long_description": "Amount to be invested."},
{"attribute_id": "40ccc8b6-a883-5a1a-a6cc-43403ddbae60", "name": "product.assets_under_management", "group_id": "product", "mask": "money", "rules": {}, "sensitivity": "internal", "long_description": "Assets under management."},
{"attribute_id": "d42062da-03a2-5112-b524-b7cc2e52a1ce", "name": "product.base_currency", "group_id": "product", "mask": "string", "rules": {"format": "ISO-4217"}, "sensitivity": "public", "long_description": "Base currency."},
{"attribute_id": "86d56103-1e0a-52f0-a1c3-323206adb70d", "name": "product.settlement_cycle", "group_id": "product", "mask": "enum", "rules": {"values": ["T+0", "T+1", "T+2", "T+3"]}, "sensitivity": "public", "long_description": "Settlement cycle."},
{"attribute_id": "94d21aab-01a5-5742-bb6a-0396f604e037", "name": "product.management_fee", "group_id": "product", "mask": "percent", "rules": {"range": {"min": 0, "max": 10}}, "sensitivity": "internal", "long_description": "Management fee per year."},
{"attribute_id": "bf2d4601-559a-5603-ad9b-dbbd59c95754", "name": "product.performance_fee", "group_id": "product", "mask": "percent", "rules": {"range": {"min": 0, "max": 50}}, "sensitivity": "internal", "long_description": "Performance fee."},
{"attribute_id": "20aa55a0-08dc-5761-a9ee-e5cb52b10f80", "name": "product.nav_frequency", "group_id": "product", "mask": "enum", "rules": {"values": ["daily", "weekly", "monthly", "quarterly"]}, "sensitivity": "public", "long_description": "How often the value is struck."},
{"attribute_id": "4e3a3bf9-625b-5a5f-9079-8d1d8f4be93b", "name": "product.launch_date", "group_id": "product", "mask": "date", "rules": {}, "sensitivity": "public", "long_description": "Launch."},
{"attribute_id": "f82db24f-ab6e-588a-87e7-cf881430c242", "name": "fund.isin", "group_id": "fund", "mask": "string", "rules": {"format": "ISIN"}, "sensitivity": "public", "long_description": "International Securities Identification Number."},
{"attribute_id": "af7620ca-38cc-5487-9c5e-624a6c165489", "name": "fund.domicile", "group_id": "fund", "mask": "string", "rules": {"format": "ISO-3166-1"}, "sensitivity": "public", "long_description": "Domicile of the fund."},
{"attribute_id": "8aad1304-bb21-53b1-9192-e2c4b2adac7b", "name": "fund.strategy", "group_id": "fund", "mask": "enum", "rules": {"values": ["long_short_equity", "global_macro", "event_driven", "credit", "multi_strategy", "quantitative", "managed_futures", "fixed_income", "private_equity", "other"]}, "sensitivity": "public", "long_description": "Strategy."},
{"attribute_id": "f0ece3db-87fe-521f-9def-3dc93c571230", "name": "fund.leverage", "group_id": "fund", "mask": "decimal", "rules": {"range": {"min": 0, "max": 100}}, "sensitivity": "internal", "long_description": "Leverage as a multiple."},
{"attribute_id": "22e8a903-fbf1-575b-a3ab-ab2ceb17d065", "name": "fund.administrator", "group_id": "fund", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "public", "long_description": "Administrator."},
{"attribute_id": "45bca325-3bd7-5cda-b2cf-8551b976a03d", "name": "fund.auditor", "group_id": "fund", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "public", "long_description": "Auditor."},
{"attribute_id": "d22350c4-5b3e-5d40-9769-24c1f3138815", "name": "fund.prime_broker", "group_id": "fund", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "internal", "long_description": "Prime broker."},
{"attribute_id": "5ae0dcd8-e828-51ca-a0c6-92bdcd8510b9", "name": "fund.depositary", "group_id": "fund", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "public", "long_description": "Depositary."},
{"attribute_id": "11cdb240-42b7-51cd-8f52-7a98796aeb0e", "name": "document.type", "group_id": "document", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "internal", "long_description": "Type of document."},
{"attribute_id": "857d5e21-941e-5841-9772-a61cdf5d61cd", "name": "document.number", "group_id": "document", "mask": "string", "rules": {"length": {"min": 1, "max": 100}}, "sensitivity": "confidential", "long_description": "Number of the document."},
{"attribute_id": "4408be3a-0f0d-5397-9f07-b7b57b45473c", "name": "document.issuer", "group_id": "document", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "internal", "long_description": "Who issued it."},
{"attribute_id": "febdfc03-4298-545e-a0b8-d72d4555361a", "name": "document.issued", "group_id": "document", "mask": "date", "rules": {}, "sensitivity": "internal", "long_description": "Date of issue."},
{"attribute_id": "e3d2cef5-0555-5e5b-857d-7077eb6d7d35", "name": "document.expires", "group_id": "document", "mask": "date", "rules": {}, "sensitivity": "internal", "long_description": "Last day on which it is valid."},
{"attribute_id": "bec8ed56-8ffd-5db7-ac8e-3f8a6b3497de", "name": "document.language", "group_id": "document", "mask": "string", "rules": {"pattern": "[a-z]{2,3}"}, "sensitivity": "public", "long_description": "Language."},
{"attribute_id": "cffb0d06-96f8-582f-bd64-7bc3cdaa8a43", "name": "document.certified", "group_id": "document", "mask": "boolean", "rules": {}, "sensitivity": "internal", "long_description": "Whether certified."},
{"attribute_id": "447ca8ab-ad72-566e-9a90-88b9e80f6c2c", "name": "document.pages", "group_id": "document", "mask": "integer", "rules": {"range": {"min": 1, "max": 10000}}, "sensitivity": "internal", "long_description": "Number of pages."},
{"attribute_id": "87a659c4-e6b1-56d6-beb3-2b886a7c7ae9", "name": "document.confidence", "group_id": "document", "mask": "decimal", "rules": {"range": {"min": 0, "max": 1}}, "sensitivity": "internal", "long_description": "Confidence of what was read out of it."},
{"attribute_id": "24e9d5d0-f0a6-5f2e-b581-86dbb18f031d", "name": "compliance.consent", "group_id": "compliance", "mask": "boolean", "rules": {}, "sensitivity": "internal", "long_description": "Consent to the processing of data."},
{"attribute_id": "411137f6-cd35-59d5-adfc-0f71a5ccc011", "name": "compliance.consented_at", "group_id": "compliance", "mask": "datetime", "rules": {}, "sensitivity": "internal", "long_description": "When consent was given."},
{"attribute_id": "52b178ad-cf37-58e6-9c36-45ac48618823", "name": "compliance.officer", "group_id": "compliance", "mask": "string", "rules": {"length": {"min": 1, "max": 200}}, "sensitivity": "internal", "long_description": "Responsible officer."},
{"attribute_id": "999f3f50-9b63-58d7-8ce3-5ea44a9d4c94", "name": "compliance.case_reference", "group_id": "compliance", "mask": "uuid", "rules": {}, "sensitivity": "internal", "long_description": "Reference in another system."}
]$attributes$) AS a (
       attribute_id uuid, name text, group_id text, mask text, rules jsonb, sensitivity text, long_description text);

CREATE TABLE cases.dictionary (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    long_description text NOT NULL DEFAULT '',
    group_id text NOT NULL DEFAULT 'general',
    mask text NOT NULL DEFAULT 'string',
    domain text,
    rules jsonb NOT NULL DEFAULT '{}',
    source jsonb NOT NULL DEFAULT '{}',
    sink jsonb NOT NULL DEFAULT '{}',
    sensitivity text NOT NULL DEFAULT 'internal',
    search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', translate(name, '._-', '   ')), 'A')
        || setweight(to_tsvector('simple', group_id), 'B')
        || to_tsvector('simple', long_description)) STORED,
    CONSTRAINT dictionary_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT dictionary_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES core.tenants (id) ON DELETE CASCADE,
    CONSTRAINT dictionary_name_key UNIQUE (tenant_id, name),
    CONSTRAINT dictionary_name_shape CHECK (name ~ '^[[:alpha:]_][[:alnum:]_-]*(\.[[:alpha:]_][[:alnum:]_-]*)*$' AND char_length(name) <= 200),
    CONSTRAINT dictionary_long_description_length CHECK (char_length(long_description) <= 4000),
    CONSTRAINT dictionary_group_id_length CHECK (char_length(group_id) BETWEEN 1 AND 100),
    CONSTRAINT dictionary_domain_length CHECK (char_length(domain) BETWEEN 1 AND 100),
    CONSTRAINT dictionary_mask_known CHECK (mask IN ('string', 'integer', 'decimal', 'date', 'datetime', 'boolean', 'enum', 'uuid', 'money', 'percent')),
    CONSTRAINT dictionary_rules_shape CHECK (cases.rules_fit(mask, rules)),
    CONSTRAINT dictionary_source_object CHECK (jsonb_typeof(source) = 'object'),
    CONSTRAINT dictionary_sink_object CHECK (jsonb_typeof(sink) = 'object'),
    CONSTRAINT dictionary_sensitivity_known CHECK (sensitivity IN ('public', 'internal', 'confidential', 'restricted'))
);

CREATE INDEX dictionary_search_idx ON cases.dictionary USING gin (search);

CREATE INDEX dictionary_group_idx ON cases.dictionary (tenant_id, group_id, name);

COMMENT ON TABLE cases.dictionary IS 'The attributes that values can have. Each tenant has its own.';

COMMENT ON COLUMN cases.dictionary.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.dictionary.id IS 'The attribute''s id, as in @attr{…}; the same in every tenant for the starter set.';

COMMENT ON COLUMN cases.dictionary.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.dictionary.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.dictionary.version IS 'Counts changes of the row: its ETag.';

COMMENT ON COLUMN cases.dictionary.name IS 'Unique name, such as identity.legal_name.';

COMMENT ON COLUMN cases.dictionary.long_description IS 'What it means.';

COMMENT ON COLUMN cases.dictionary.group_id IS 'What it belongs to.';

COMMENT ON COLUMN cases.dictionary.mask IS 'Type of the value.';

COMMENT ON COLUMN cases.dictionary.domain IS 'Part of the business that uses it.';

COMMENT ON COLUMN cases.dictionary.rules IS 'values, pattern, range, length, format.';

COMMENT ON COLUMN cases.dictionary.source IS 'Where values come from.';

COMMENT ON COLUMN cases.dictionary.sink IS 'Where values go to.';

COMMENT ON COLUMN cases.dictionary.sensitivity IS 'Who may see values.';

COMMENT ON COLUMN cases.dictionary.search IS 'For ranked search.';

CREATE TRIGGER dictionary_touch BEFORE UPDATE ON cases.dictionary
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER dictionary_audit_insert AFTER INSERT ON cases.dictionary
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('search');

CREATE TRIGGER dictionary_audit_update AFTER UPDATE ON cases.dictionary
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('search');

CREATE TRIGGER dictionary_audit_delete AFTER DELETE ON cases.dictionary
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('search');

ALTER TABLE cases.dictionary ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY dictionary_tenant ON cases.dictionary TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY dictionary_owner ON cases.dictionary TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.dictionary TO quarry_app;

CREATE FUNCTION cases.give_starter_attributes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO cases.dictionary (tenant_id, id, name, group_id, mask, rules, sensitivity, long_description)
    SELECT n.id, a.attribute_id, a.name, a.group_id, a.mask, a.rules, a.sensitivity, a.long_description
      FROM new_rows AS n
     CROSS JOIN cases.starter_attributes AS a;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION cases.give_starter_attributes() IS 'AFTER INSERT on core.tenants: a new tenant begins with the starter set.';

CREATE TRIGGER tenants_starter_attributes AFTER INSERT ON core.tenants
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION cases.give_starter_attributes();

INSERT INTO cases.dictionary (tenant_id, id, name, group_id, mask, rules, sensitivity, long_description)
SELECT t.id, a.attribute_id, a.name, a.group_id, a.mask, a.rules, a.sensitivity, a.long_description
  FROM core.tenants AS t
 CROSS JOIN cases.starter_attributes AS a;
