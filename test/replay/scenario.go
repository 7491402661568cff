// Package replay plays recorded scenarios against a running server and says
// where its answers differ from the recorded ones: requests with waits and
// captured variables, event streams, and the placeholders in what is
// expected. It also has the loopback server that the scenarios call.
package replay

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"petrel/expr/value"
)

// Scenario is one line of a corpus.
type Scenario struct {
	ID     string
	Covers string // the area
	Setup  string // which set-up it is played against
	Alone  bool   // nothing else may be played meanwhile
	Steps  []*value.Dict
	Doc    *value.Dict // the whole line, for what other players need
}

// Load reads a corpus of one scenario a line.
func Load(file string) ([]Scenario, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Scenario
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		v, err := value.FromJSON(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, len(all)+1, err)
		}
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("%s: line %d is no object", file, len(all)+1)
		}
		s := Scenario{ID: Text(d, "id"), Covers: Text(d, "covers"), Setup: Text(d, "setup"), Alone: Bool(d, "alone"), Doc: d}
		for _, step := range List(d, "steps") {
			if sd, ok := step.(*value.Dict); ok {
				s.Steps = append(s.Steps, sd)
			}
		}
		all = append(all, s)
	}
	return all, lines.Err()
}

// Text is a member that is text; empty when it is absent.
func Text(d *value.Dict, key string) string {
	v, _ := d.GetStr(key)
	s, _ := v.(string)
	return s
}

// Bool is a member that is true.
func Bool(d *value.Dict, key string) bool {
	v, _ := d.GetStr(key)
	b, _ := v.(bool)
	return b
}

// Object is a member that is an object; nil when it is absent.
func Object(d *value.Dict, key string) *value.Dict {
	v, _ := d.GetStr(key)
	o, _ := v.(*value.Dict)
	return o
}

// List is a member that is a list.
func List(d *value.Dict, key string) []value.Value {
	v, _ := d.GetStr(key)
	l, _ := v.(*value.List)
	if l == nil {
		return nil
	}
	return l.Items
}

// Number is a member that is a number; absent gives the default.
func Number(d *value.Dict, key string, absent float64) float64 {
	v, ok := d.GetStr(key)
	if !ok {
		return absent
	}
	switch x := v.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
	case json.Number:
		f, _ := x.Float64()
		return f
	}
	return absent
}
