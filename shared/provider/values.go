package provider

import (
	"fmt"
	"slices"
)

// Values holds the settings of an integration or a destination by field name. Each value is a
// string, a bool, an int or a []string.
type Values map[string]any

// Text returns the value of a Text field, or "" if it is not set.
func (v Values) Text(field string) string {
	text, _ := v[field].(string)
	return text
}

// Flag returns the value of a Flag field.
func (v Values) Flag(field string) bool {
	flag, _ := v[field].(bool)
	return flag
}

// Whole returns the value of a Whole field.
func (v Values) Whole(field string) int {
	n, _ := v[field].(int)
	return n
}

// Words returns the value of a Words field. The caller must not modify it.
func (v Values) Words(field string) []string {
	words, _ := v[field].([]string)
	return words
}

// FieldError reports an invalid setting. Want describes valid values. It contains no part of the
// given value.
type FieldError struct{ Field, Want string }

// Error returns "<Field>: <Want>".
func (e *FieldError) Error() string { return e.Field + ": " + e.Want }

// Complete validates given against fields, brings values to their normal forms and fills in the
// defaults. A nil value, an empty string and an empty []string count as not set. Its errors are
// *FieldError. Complete does not modify given, and the result shares no memory with it. Secret
// fields and fields that are not declared are left out of the result.
func Complete(fields []Field, given Values) (Values, error) {
	complete := make(Values, len(fields))
	for _, f := range fields {
		if f.Secret {
			continue
		}
		value, set := given[f.Name]
		if !set || isZero(value) {
			if f.Required {
				return nil, &FieldError{f.Name, "is required: " + Short(f.Help)}
			}
			complete[f.Name] = f.fallback()
			continue
		}
		if err := f.check(value); err != nil {
			return nil, err
		}
		complete[f.Name] = f.Stored(value)
	}
	return complete, nil
}

// Stored returns the form in which a valid value of the field is stored. It shares no memory with
// the value.
func (f Field) Stored(value any) any {
	switch v := value.(type) {
	case []string:
		return slices.Clone(v)
	case string:
		if f.Normal != nil {
			return f.Normal(v)
		}
	}
	return value
}

// fallback returns the value of a field that is not set.
func (f Field) fallback() any {
	switch usual := f.Default.(type) {
	case nil:
		return f.zero()
	case []string:
		return slices.Clone(usual)
	default:
		return usual
	}
}

func (f Field) zero() any {
	switch f.Type {
	case Flag:
		return false
	case Whole:
		return 0
	case Words:
		return []string(nil)
	default:
		return ""
	}
}

func isZero(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	default:
		return false
	}
}

// check returns a *FieldError if the value is not valid for the field.
func (f Field) check(value any) error {
	if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", f.zero()) {
		return &FieldError{f.Name, "has the wrong type"}
	}
	if text, isText := value.(string); isText {
		switch {
		case text != "" && f.Choices != nil && !slices.Contains(f.Choices, text):
			return &FieldError{f.Name, fmt.Sprintf("must be one of %v", f.Choices)}
		case text == "":
			return nil
		}
	}
	checks := []func(any) error{f.checkPlain, f.checkEndpoint}
	if f.Check != nil {
		checks = append(checks, f.Check)
	}
	for _, check := range checks {
		if err := check(value); err != nil {
			return &FieldError{f.Name, err.Error()}
		}
	}
	return nil
}
