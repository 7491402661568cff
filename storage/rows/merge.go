package rows

import (
	"bytes"
	"encoding/json"
	"fmt"

	"petrel"
)

type member struct {
	key   string
	name  json.RawMessage // the key as it was written
	value json.RawMessage
}

// MergeObject sets the keys of one JSON object in another. Keys that are there
// keep their place, new ones follow in their order; the values' text is not
// touched, so that key order below the top and any character survive.
func MergeObject(base, patch petrel.JSON) (petrel.JSON, error) {
	if len(patch) == 0 {
		return base, nil
	}
	into, err := members(base)
	if err != nil {
		return nil, fmt.Errorf("what is stored: %w", err)
	}
	from, err := members(patch)
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(into)+len(from))
	for i, m := range into {
		place[m.key] = i
	}
	for _, m := range from {
		if i, there := place[m.key]; there {
			into[i].value = m.value
			continue
		}
		place[m.key] = len(into)
		into = append(into, m)
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range into {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(m.name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func members(object petrel.JSON) ([]member, error) {
	if text := bytes.TrimSpace(object); len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	start, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if start != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object")
	}
	var all []member
	for d.More() {
		before := d.InputOffset()
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		text, is := key.(string)
		if !is {
			return nil, fmt.Errorf("not a JSON object")
		}
		name := bytes.TrimLeft(object[before:d.InputOffset()], ", \t\r\n")
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		all = append(all, member{key: text, name: bytes.Clone(name), value: value})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("text behind the JSON object")
	}
	return all, nil
}
