package intake

import (
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
	"github.com/hashicorp/vault/sdk/framework"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// form is the accepted form of a field's value: a description for errors, and a predicate. Values
// have the types that JSON decoding produces. Tests without a network also send Go integers, string
// slices and string maps. Vault's CLI and query parameters send only strings.
type form struct {
	want string
	fits func(value any) bool
}

func formOf(t framework.FieldType) (form, bool) {
	switch t {
	case framework.TypeString, framework.TypeLowerCaseString:
		return form{"a string", isString}, true
	case framework.TypeInt:
		return form{"a whole number", func(v any) bool { return isInt(v) }}, true
	case framework.TypeInt64:
		return form{"a whole number", func(v any) bool { return isInt(v) }}, true
	case framework.TypeBool:
		return form{"true or false", isBool}, true
	case framework.TypeDurationSecond:
		return form{`a duration in whole seconds, not negative, such as 90, "90s", "1h" or "7d"`, isDuration}, true
	case framework.TypeSignedDurationSecond:
		return form{`a duration in whole seconds, such as 90, "-90s", "1h" or "7d"`, isSignedDuration}, true
	case framework.TypeTime:
		return form{`an RFC 3339 time such as "2006-01-02T15:04:05Z"`, isTime}, true
	case framework.TypeMap:
		return form{"a JSON object", isMap}, true
	case framework.TypeKVPairs:
		return form{`a JSON object whose values are strings, "key=value", or a list of "key=value"`, isPairs}, true
	case framework.TypeCommaIntSlice:
		return form{"whole numbers, as a comma-separated string or a list", isInts}, true
	case framework.TypeSlice:
		return form{"a JSON array", isSlice}, true
	case framework.TypeStringSlice:
		return form{"a string or a list of strings", isStrings}, true
	case framework.TypeCommaStringSlice:
		return form{"a comma-separated string or a list of strings", isStrings}, true
	default:
		return form{}, false
	}
}

// decimal excludes leading zeros, because the framework parses "010" as octal and "0x10" as
// hexadecimal.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,18})$`)

// exact is the limit of float64 values that represent the caller's number exactly. From 2^53 on,
// different integers have the same float64.
const exact = 1 << 53

func isString(value any) bool {
	_, ok := value.(string)
	return ok
}

// whole returns a whole number as decimal digits.
func whole(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, decimal.MatchString(v)
	case json.Number:
		return v.String(), decimal.MatchString(v.String())
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= exact {
			return "", false
		}
		return strconv.FormatInt(int64(v), 10), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	default:
		return "", false
	}
}

// Number returns a non-negative whole number. It is for numbers inside an object, which the schema
// does not describe.
func Number(value any) (uint64, bool) {
	digits, ok := whole(value)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return n, err == nil
}

func isInt(value any) bool {
	digits, ok := whole(value)
	if !ok {
		return false
	}
	_, err := strconv.ParseInt(digits, 10, 64)
	return err == nil
}

// isBool accepts the numbers 0 and 1 only. The framework would convert any other number to true.
func isBool(value any) bool {
	switch v := value.(type) {
	case bool:
		return true
	case string:
		_, err := strconv.ParseBool(v)
		return err == nil
	default:
		digits, ok := whole(value)
		return ok && (digits == "0" || digits == "1")
	}
}

func isDuration(value any) bool {
	d, ok := duration(value)
	return ok && d >= 0
}

func isSignedDuration(value any) bool {
	_, ok := duration(value)
	return ok
}

// duration rejects fractions of a second. The framework drops them: "500ms" would become 0, which
// means no limit in several fields.
func duration(value any) (time.Duration, bool) {
	if text, ok := value.(string); ok {
		if text == "" {
			return 0, false
		}
	} else if _, ok := whole(value); !ok {
		return 0, false
	}
	d, err := parseutil.ParseDurationSecond(value)
	return d, err == nil && d%time.Second == 0
}

func isTime(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

func isMap(value any) bool {
	switch value.(type) {
	case map[string]any, map[string]string:
		return true
	default:
		return false
	}
}

func isSlice(value any) bool {
	switch value.(type) {
	case []any, []string:
		return true
	default:
		return false
	}
}

func isStrings(value any) bool {
	return allStrings(value, func(string) bool { return true })
}

func isInts(value any) bool {
	switch v := value.(type) {
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if !isInt(item) {
				return false
			}
		}
		return true
	case []int:
		return true
	case []string:
		return !slices.ContainsFunc(v, func(item string) bool { return !isInt(item) })
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isInt(item) })
	default:
		return isInt(value)
	}
}

func isPairs(value any) bool {
	switch v := value.(type) {
	case map[string]string:
		return true
	case map[string]any:
		for _, item := range v {
			if !isString(item) {
				return false
			}
		}
		return true
	default:
		return allStrings(value, func(pair string) bool { return strings.Index(pair, "=") > 0 })
	}
}

// allStrings reports whether the value is a string or a list of strings, and test accepts each
// string.
func allStrings(value any, test func(string) bool) bool {
	switch v := value.(type) {
	case string:
		return test(v)
	case []string:
		return !slices.ContainsFunc(v, func(item string) bool { return !test(item) })
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool {
			text, ok := item.(string)
			return !ok || !test(text)
		})
	default:
		return false
	}
}

// printableKey matches the keys that an error may show. It is narrower than the rule for secret
// names. Showing such a key reveals nothing new, because Vault's audit log shows map keys in clear.
var printableKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// checkStrings returns an error if a value of the object is not a string. In a patch, null removes
// a key.
func checkStrings(field string, value any, patch bool) error {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if isString(object[key]) || patch && object[key] == nil {
			continue
		}
		if !printableKey.MatchString(key) {
			return fault.New(fault.Invalid, "%s: every value must be a JSON string; quote numbers, true and false", field)
		}
		return fault.New(fault.Invalid, "%s: the value of %q must be a JSON string; quote numbers, true and false", field, key)
	}
	return nil
}
