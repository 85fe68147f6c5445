-- says_yes(said): true for a word of consent, such as true, yes, granted; false for any other, and for none.
CREATE OR REPLACE MACRO says_yes(said) AS
    coalesce(lower(trim(said)) IN ('1', 'given', 'granted', 'opt_in', 'opted_in', 'subscribed', 'true', 'y', 'yes'), false)
