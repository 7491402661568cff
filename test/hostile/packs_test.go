package hostile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const manifest = "name: %s\nref: %s\ndescription: a pack\nversion: 1.0.0\nauthor: somebody\nemail: somebody@example.com\n"

func manifestOf(ref string) string { return fmt.Sprintf(manifest, ref, ref) }

const goodAction = "name: good\nrunner_type: noop\nenabled: true\nentry_point: ''\n"

// TestHostile_Packs registers packs with one hostile file each: it is named with
// what is wrong, and the pack's other action is there.
func TestHostile_Packs(t *testing.T) {
	h := open(t, options{})
	nested := func(n int) string {
		return "name: bad\nrunner_type: noop\nx: " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n"
	}
	for _, c := range []struct{ row, file, text, says string }{
		{"H01 bomb", "actions/bad.yaml", yamlBomb("\n"), "alias"},
		{"H02 itself", "actions/bad.yaml", "name: bad\nrunner_type: noop\nx: &a [*a]\n", "itself"},
		{"H03 deep", "actions/bad.yaml", nested(5_000), "deep"},
		{"H03 deeper", "actions/bad.yaml", "x: " + strings.Repeat("[", 100_000), "deep"},
		{"H03 blocks", "actions/bad.yaml", strings.Repeat("- ", 20_000) + "x\n", "max depth"},
		{"H04 object", "actions/bad.yaml", "name: !!python/object/apply:os.system ['touch /tmp/owned']\n", "tag"},
		{"H04 unknown", "actions/bad.yaml", "name: !foo bar\n", "tag"},
		{"H04 binary", "actions/bad.yaml", "name: !!binary aGVsbG8=\n", "!!binary"},
		{"H05 no map", "actions/bad.yaml", "name: bad\nrunner_type: noop\n<<: [1, 2]\n", "merg"},
		{"H08 two", "actions/bad.yaml", "name: bad\n---\nname: worse\n", "document"},
		{"H11 NUL", "actions/bad.yaml", "name: \"a\\0b\"\nrunner_type: noop\nenabled: true\nentry_point: ''\n", ""},
		{"H12 bytes", "actions/bad.yaml", "name: \xff\xfe\n", "UTF-8"},
		{"H12 surrogate", "actions/bad.yaml", "name: \"\\ud800\"\nrunner_type: noop\nenabled: true\nentry_point: ''\n", ""},
		{"H14 invisible", "actions/bad.yaml", "name: go\u200bod\nrunner_type: noop\nenabled: true\nentry_point: ''\n", ""},
		{"H15 file", "actions/bad.yaml", "name: bad\ndescription: " + strings.Repeat("a", 3<<20) + "\n", "limit of"},
		{"H20 reference", "actions/bad.yaml", "name: bad\nrunner_type: noop\nenabled: true\nentry_point: ''\nparameters:\n  x: {type: string, $ref: 'http://169.254.169.254/x'}\n", ""},
		{"H34 dots", "actions/bad.yaml", "name: bad\nrunner_type: local-shell-script\nenabled: true\nentry_point: ../../../../etc/shadow\n", ""},
		{"H34 absolute", "actions/bad.yaml", "name: bad\nrunner_type: local-shell-script\nenabled: true\nentry_point: /etc/shadow\n", ""},
		{"H39 pack", "actions/bad.yaml", "name: bad\npack: core\nrunner_type: noop\nenabled: true\nentry_point: ''\n", "pack"},
		{"H31 format", "aliases/bad.yaml", "name: bad\naction_ref: core.noop\nformats: ['" + strings.Repeat("{{a}} ", 50) + "']\n", ""},
		{"H31 regex", "aliases/bad.yaml", "name: bad\naction_ref: core.noop\nformats: ['(((a{1000}){1000}){1000}']\n", ""},
		{"H13 text", "actions/bad.yaml", "name: bäd\nrunner_type: noop\nenabled: true\nentry_point: ''\ndescription: 'ünïcödé 漢字 🎉'\n", ""},
	} {
		t.Run(strings.ReplaceAll(c.row, " ", "/"), func(t *testing.T) {
			ref := "hostile_" + strings.ToLower(strings.NewReplacer(" ", "_").Replace(c.row))
			plant(t, filepath.Join(h.state, "packs", ref), map[string]string{"pack.yaml": manifestOf(ref), "actions/good.yaml": goodAction, c.file: c.text})
			var got answer
			within(t, "registering", 120<<20, func() {
				start := time.Now()
				got = h.do(t, "POST", "/api/v1/packs/register", encode(t, map[string]any{"packs": []string{ref}}))
				quick(t, "registering", start, 5*time.Second)
			})
			if got.status >= 500 || len(got.text) > 8<<10 {
				t.Errorf("%d %.500s", got.status, got.text)
			}
			if found := h.do(t, "GET", "/api/v1/actions/"+ref+".good", ""); found.status != 200 {
				t.Errorf("the pack's good action is not there: %d %.300s", found.status, found.text)
			}
			got = h.do(t, "POST", "/api/v1/packs/register", encode(t, map[string]any{"packs": []string{ref}, "fail_on_failure": true}))
			if c.says != "" && (got.status != 400 || !strings.Contains(got.fault(), c.says) || !strings.Contains(got.fault(), "bad.yaml")) {
				t.Errorf("%d %.500s, want 400 with the file and %q", got.status, got.text, c.says)
			}
			if c.says != "" {
				if bad := h.do(t, "GET", "/api/v1/actions/"+ref+".bad", ""); bad.status != 404 {
					t.Errorf("the bad action is there: %.300s", bad.text)
				}
			} else if got.status >= 500 {
				t.Errorf("%d %.500s", got.status, got.text)
			} else {
				t.Logf("%d %.300s", got.status, got.fault())
			}
			h.serves(t, c.row)
		})
	}
	if _, err := os.Stat("/tmp/owned"); err == nil {
		t.Error("a tag ran a command")
	}
}

// TestHostile_H34_NoWayOut tries to read and run what is outside of a pack.
func TestHostile_H34_NoWayOut(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "outside.sh")
	if err := os.WriteFile(secret, []byte("#!/bin/sh\necho canary-outside\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := open(t, options{})
	dir := filepath.Join(h.state, "packs", "links")
	plant(t, dir, map[string]string{
		"pack.yaml":            manifestOf("links"),
		"actions/linked.yaml":  "name: linked\nrunner_type: local-shell-script\nenabled: true\nentry_point: linked.sh\n",
		"actions/dots.yaml":    "name: dots\nrunner_type: local-shell-script\nenabled: true\nentry_point: " + strings.Repeat("../", 12) + secret[1:] + "\n",
		"actions/root.yaml":    "name: root\nrunner_type: local-shell-script\nenabled: true\nentry_point: " + secret + "\n",
		"actions/windows.yaml": "name: windows\nrunner_type: local-shell-script\nenabled: true\nentry_point: '..\\..\\outside.sh'\n",
	})
	for _, link := range []string{"actions/linked.sh", "actions/stolen.yaml", "README.md", "aliases"} {
		if err := os.Symlink(secret, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	got := h.do(t, "POST", "/api/v1/packs/register", `{"packs": ["links"]}`)
	if got.status >= 500 {
		t.Errorf("%d %.300s", got.status, got.text)
	}
	for _, path := range []string{
		"/api/v1/packs/views/file/links/README.md", "/api/v1/packs/views/file/links/actions/linked.sh",
		"/api/v1/packs/views/file/links/../../login.json", "/api/v1/packs/views/file/links/%2e%2e/%2e%2e/login.json",
		"/api/v1/packs/views/file/links/..%2f..%2flogin.json", "/api/v1/packs/views/file/links/%2fetc%2fpasswd",
		"/api/v1/packs/views/file/links/loop/loop/actions/linked.sh", "/api/v1/packs/views/files/links",
		"/api/v1/actions/views/entry_point/links.linked", "/api/v1/actions/views/entry_point/links.dots", "/api/v1/actions/views/entry_point/links.root",
	} {
		got := h.do(t, "GET", path, "")
		if strings.Contains(got.text, "canary-outside") || strings.Contains(got.text, h.key) || strings.Contains(got.text, "root:") || got.status >= 500 {
			t.Errorf("%s: %d %.200s", path, got.status, got.text)
		}
	}
	for _, name := range []string{"linked", "dots", "root", "windows"} {
		if h.do(t, "GET", "/api/v1/actions/links."+name, "").status != 200 {
			continue // refused at registration
		}
		if x := h.run(t, "links."+name, nil); x.Status == "succeeded" || strings.Contains(string(x.Result), "canary-outside") {
			t.Errorf("%s ran a file outside of the pack: %s %.300s", name, x.Status, x.Result)
		}
	}
	h.serves(t, "links")
}

// TestHostile_H39_PackNames tries folders that must not become packs.
func TestHostile_H39_PackNames(t *testing.T) {
	h := open(t, options{})
	before := h.count(t, "/api/v1/packs")
	for _, name := range []string{"UP per", "a b", "-x", strings.Repeat("a", 200), "x;y", "a'b"} {
		plant(t, filepath.Join(h.state, "packs", name), map[string]string{"pack.yaml": "name: '" + strings.ReplaceAll(name, "'", "''") + "'\nversion: 1.0.0\nauthor: a\nemail: a@example.com\n"})
	}
	for _, name := range []string{"..", "../..", "/etc", "a/b", "a\x00b", strings.Repeat("a", 1000), ""} {
		got := h.do(t, "POST", "/api/v1/packs/register", encode(t, map[string]any{"packs": []string{name}, "fail_on_failure": true}))
		if got.status != 400 || len(got.text) > 4<<10 {
			t.Errorf("%.40q: %d %.300s", name, got.status, got.text)
		}
	}
	if got := h.do(t, "POST", "/api/v1/packs/register", `{}`); got.status >= 500 {
		t.Errorf("%d %.300s", got.status, got.text)
	}
	if after := h.count(t, "/api/v1/packs"); after != before {
		t.Logf("%d packs before, %d after: %.600s", before, after, h.do(t, "GET", "/api/v1/packs?include_attributes=ref", "").text)
	}
	h.serves(t, "names")
}
