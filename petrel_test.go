package petrel

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestID_SortsBySecondAndIsUnique(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	seen := map[ID]bool{}
	for range 10000 {
		id := NewID(at)
		if !id.Valid() || seen[id] {
			t.Fatalf("id %q is invalid or doubled", id)
		}
		seen[id] = true
	}
	if a, b := NewID(at), NewID(at.Add(time.Second)); a >= b {
		t.Fatalf("%s of the earlier second does not sort before %s", a, b)
	}
	if got := NewID(at).Time(); !got.Equal(at) {
		t.Fatalf("the id says %v", got)
	}
	for _, bad := range []ID{"", "abc", "00000000000000000000000G", "0000000000000000000000AA", "0000000000000000000000000"} {
		if bad.Valid() {
			t.Errorf("%q passes as an id", bad)
		}
	}
}

func TestRef(t *testing.T) {
	for _, tc := range []struct{ ref, pack, name string }{
		{"core.local", "core", "local"}, {"a.b.c", "a", "b.c"}, {"plain", "", "plain"},
	} {
		if r := Ref(tc.ref); r.Pack() != tc.pack || r.Name() != tc.name {
			t.Errorf("%s: %q %q", tc.ref, r.Pack(), r.Name())
		}
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2015, 7, 5, 12, 0, 0, 120000000, time.UTC)
	if got := FormatTime(want); got != "2015-07-05T12:00:00.120000Z" {
		t.Fatal(got)
	}
	for _, text := range []string{"2015-07-05T12:00:00.120Z", "2015-07-05 12:00:00.120000+00:00", "2015-07-05T12:00:00.12000+00", "2015-07-05T12:00:00.120+0000"} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2015-07-05", "2015-07-05T12:00:00.1Z", "2015-07-05T12:00:00+02:00", "2015-13-05T12:00:00Z", "2015-07-05T12:00:00"} {
		if _, err := ParseTime(text); !Is(err, Invalid) {
			t.Errorf("%q passes as a time (%v)", text, err)
		}
	}
}

func TestStatus_FinalNeverChanges(t *testing.T) {
	for _, from := range Statuses {
		for _, to := range Statuses {
			if from.Final() && from.CanBecome(to) {
				t.Errorf("%s may become %s", from, to)
			}
			if from == to && from.CanBecome(to) {
				t.Errorf("%s may become itself", from)
			}
		}
		if !from.Final() && !from.reachesFinal() {
			t.Errorf("%s never ends", from)
		}
		if from.Cancelable() && !from.CanBecome(StatusCanceling) && !from.CanBecome(StatusCanceled) {
			t.Errorf("%s is cancelable and cannot be canceled", from)
		}
	}
	if Status("done").Valid() {
		t.Error("an unknown word passes as a status")
	}
}

func (s Status) reachesFinal() bool {
	seen := map[Status]bool{}
	todo := []Status{s}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if at.Final() {
			return true
		}
		if seen[at] {
			continue
		}
		seen[at] = true
		todo = append(todo, transitions[at]...)
	}
	return false
}

func TestError_ShowsNothingUnforeseen(t *testing.T) {
	cause := errors.New("password=hunter2 refused")
	err := Wrap(Unavailable, cause, "The store is away")
	if KindOf(err) != Unavailable || Message(err) != "The store is away" || !errors.Is(err, cause) {
		t.Fatalf("%v", err)
	}
	if got := Message(cause); strings.Contains(got, "hunter2") {
		t.Fatalf("shown: %s", got)
	}
	if KindOf(nil) != "" || KindOf(cause) != Internal {
		t.Fatal("kinds of nil and of any other error")
	}
}

func TestJSON_KeepsOrderAndNull(t *testing.T) {
	var doc struct {
		A JSON `json:"a"`
		B JSON `json:"b"`
	}
	if err := json.Unmarshal([]byte(`{"a": {"z": 1, "a": 2}, "b": null}`), &doc); err != nil {
		t.Fatal(err)
	}
	if string(doc.A) != `{"z": 1, "a": 2}` || doc.B != nil {
		t.Fatalf("%s %s", doc.A, doc.B)
	}
	out, err := json.Marshal(doc)
	if err != nil || string(out) != `{"a":{"z":1,"a":2},"b":null}` {
		t.Fatalf("%s %v", out, err)
	}
	for _, empty := range []string{"", "null", "{}", "[]", `""`, "0", "false"} {
		if !JSON(empty).Empty() {
			t.Errorf("%q counts as a value", empty)
		}
	}
	if JSON(`{"a":null}`).Empty() {
		t.Error("an object with a key counts as empty")
	}
}

func TestAliasFormat_KeepsItsShape(t *testing.T) {
	for _, raw := range []string{`"say {{ x }}"`, `{"display":"say","representation":["say {{ x }}"],"match_multiple":true}`} {
		var f AliasFormat
		if err := json.Unmarshal([]byte(raw), &f); err != nil {
			t.Fatal(err)
		}
		if out, err := json.Marshal(f); err != nil || string(out) != raw {
			t.Errorf("%s became %s (%v)", raw, out, err)
		}
	}
}
