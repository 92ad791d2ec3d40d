package provider

import (
	"fmt"
	"slices"
)

// Values are the settings of an integration or a destination by field name. Each is a string, a bool, an int or a []string.
type Values map[string]any

// Text answers a Text field; "" where it is not set.
func (v Values) Text(field string) string {
	text, _ := v[field].(string)
	return text
}

// Flag answers a Flag field.
func (v Values) Flag(field string) bool {
	flag, _ := v[field].(bool)
	return flag
}

// Whole answers a Whole field.
func (v Values) Whole(field string) int {
	n, _ := v[field].(int)
	return n
}

// Words answers a Words field. The caller must not change it.
func (v Values) Words(field string) []string {
	words, _ := v[field].([]string)
	return words
}

// FieldError refuses a setting: which, and what would be right. It holds nothing of the value.
type FieldError struct{ Field, Want string }

// Error answers `<field>: <what would be right>`.
func (e *FieldError) Error() string { return e.Field + ": " + e.Want }

// Complete checks settings against their fields and fills in the defaults: also for nil, and for a text or words that
// are empty, which are the same as none. Its errors are *FieldError. The settings given are not changed and share nothing with what is answered; those of secrets, and
// those that no field has, are left out.
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
		if words, isWords := value.([]string); isWords {
			value = slices.Clone(words)
		}
		complete[f.Name] = value
	}
	return complete, nil
}

// fallback is the field's value where none is given.
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

// check refuses a value that is not one of the field's.
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
	if err := f.checkEndpoint(value); err != nil {
		return &FieldError{f.Name, err.Error()}
	}
	if f.Check == nil {
		return nil
	}
	if err := f.Check(value); err != nil {
		return &FieldError{f.Name, err.Error()}
	}
	return nil
}
