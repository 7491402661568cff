package packs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"petrel"
	"petrel/packs"
)

func conformance(t *testing.T) packs.Content {
	t.Helper()
	c, problems, err := packs.Load("testdata/conformance", packs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	return c
}

func TestLoad_ConformancePack(t *testing.T) {
	c := conformance(t)
	if len(c.Actions) != 40 || len(c.Aliases) != 7 {
		t.Errorf("%d actions and %d aliases, want 40 and 7", len(c.Actions), len(c.Aliases))
	}
	want := map[string]int{"actions": 40, "aliases": 7, "rules": 5, "policies": 3, "sensors": 1, "triggers": 1}
	if !reflect.DeepEqual(c.Files, want) {
		t.Errorf("files %v, want %v", c.Files, want)
	}
	if !filepath.IsAbs(c.Pack.Path) || filepath.Base(c.Pack.Path) != "conformance" || len(c.Pack.Hash) != 64 {
		t.Errorf("path %q, hash %q", c.Pack.Path, c.Pack.Hash)
	}
	again := conformance(t)
	if again.Pack.Hash != c.Pack.Hash {
		t.Error("two readings of one folder have different hashes")
	}
}

// TestLoad_RecordedContent compares what is loaded with recorded answers of
// StackStorm's API about the same packs.
func TestLoad_RecordedContent(t *testing.T) {
	builtIn := unpacked(t)
	loaded := map[string]packs.Content{"conformance": conformance(t)}
	for _, ref := range []string{"core", "linux", "chatops"} {
		c, _, err := packs.Load(filepath.Join(builtIn, ref), packs.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		loaded[ref] = c
	}
	raw, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	seen := 0
	for lines.Scan() {
		var c struct {
			Kind string
			Body map[string]any
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		seen++
		name := fmt.Sprint(c.Kind, " ", c.Body["ref"], c.Body["pack"])
		got := find(loaded, c.Kind, c.Body)
		if got == nil {
			t.Errorf("%s: not loaded", name)
			continue
		}
		for key, want := range c.Body {
			have, there := got[key]
			if text, ok := want.(string); ok && strings.HasPrefix(text, "$any") {
				continue
			}
			if key == "files" {
				have, want = sorted(have), sorted(want)
			}
			if !there && empty(want) {
				continue
			}
			if !reflect.DeepEqual(have, want) {
				t.Errorf("%s: %s is %v, recorded %v", name, key, have, want)
			}
		}
	}
	if seen == 0 {
		t.Fatal("nothing recorded")
	}
	t.Logf("%d recorded objects", seen)
}

func find(loaded map[string]packs.Content, kind string, body map[string]any) map[string]any {
	pack, _ := body["pack"].(string)
	if kind == "pack" {
		pack, _ = body["ref"].(string)
	}
	c, ok := loaded[pack]
	if !ok {
		return nil
	}
	switch kind {
	case "pack":
		return object(c.Pack)
	case "config_schema":
		return map[string]any{"pack": pack, "attributes": decoded(c.Pack.ConfigSchema)}
	case "action":
		for _, a := range c.Actions {
			if string(a.Ref) == body["ref"] {
				return object(a)
			}
		}
	case "alias":
		for _, a := range c.Aliases {
			if string(a.Ref) == body["ref"] {
				return object(a)
			}
		}
	}
	return nil
}

func object(v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	m, _ := decoded(text).(map[string]any)
	return m
}

func decoded(text petrel.JSON) any {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	return v
}

func sorted(v any) any {
	list, _ := v.([]any)
	seen := map[string]bool{}
	for _, item := range list {
		seen[fmt.Sprint(item)] = true
	}
	return seen
}

func empty(v any) bool {
	text, _ := json.Marshal(v)
	return petrel.JSON(text).Empty()
}
