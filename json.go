package petrel

import "bytes"

// JSON is a user's value as JSON text. The order of keys is part of the value
// and is kept, so it is never unpacked into a map; nil means there is none.
type JSON []byte

// Empty says whether there is no value, or it is one that StackStorm leaves
// out of an execution: null, {}, [], "", 0 or false.
func (j JSON) Empty() bool {
	switch string(bytes.TrimSpace(j)) {
	case "", "null", "{}", "[]", `""`, "0", "false", "0.0":
		return true
	}
	return false
}

// MarshalJSON writes the text as it is, null when there is none.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON keeps a copy of the text; null becomes nil.
func (j *JSON) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*j = nil
		return nil
	}
	*j = append((*j)[:0:0], raw...)
	return nil
}
