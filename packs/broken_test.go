package packs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"petrel/packs"
)

// folder writes a pack's folder; "->target" is a symbolic link.
func folder(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	return dir
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if target, isLink := strings.CutPrefix(text, "->"); isLink {
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	goodManifest = "---\nname: demo\ndescription: A pack\nversion: 1.0.0\nauthor: A\nemail: a@example.com\n"
	goodAction   = "---\nname: good\nrunner_type: noop\n"
)

// TestLoad_BrokenFiles: each case adds files to a good pack. The texts are what
// problems say behind the pack's folder; the good action is always there.
func TestLoad_BrokenFiles(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"syntax": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nparameters:\n  x: y: z\n"},
			[]string{"actions/a.yaml:4:7: mapping values are not allowed in this context"},
		},
		"tab": {
			map[string]string{"actions/a.yaml": "name: a\nparameters:\n\tx: 1\n"},
			[]string{"actions/a.yaml:3:1: found character that cannot start any token"},
		},
		"unknown key": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nparamters: {}\n"},
			[]string{"actions/a.yaml:3:1: Additional properties are not allowed ('paramters' was unexpected)"},
		},
		"name missing": {
			map[string]string{"actions/a.yaml": "runner_type: noop\n"},
			[]string{"actions/a.yaml:1:1: 'name' is a required property"},
		},
		"wrong type": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nenabled: \"yes\"\n"},
			[]string{"actions/a.yaml:3:10: enabled: 'yes' is not of type 'boolean'"},
		},
		"unknown key in a parameter": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nparameters:\n  x:\n    type: string\n    defualt: 1\n"},
			[]string{"actions/a.yaml:6:5: parameters.x: Additional properties are not allowed ('defualt' was unexpected)"},
		},
		"name of a parameter": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nparameters:\n  bad-name:\n    type: string\n"},
			[]string{`actions/a.yaml:4:3: Parameter name "bad-name" is invalid. Valid characters for parameter name are [a-zA-Z0-9_].`},
		},
		"not a map": {
			map[string]string{"actions/a.yaml": "- name: a\n", "actions/b.yaml": ""},
			[]string{"actions/a.yaml:1:1: a map of the action's fields expected", "actions/b.yaml:1:1: a map of the action's fields expected"},
		},
		"another pack": {
			map[string]string{"actions/a.yaml": "name: a\npack: other\nrunner_type: noop\n"},
			[]string{`actions/a.yaml:2:7: Model is in pack "demo" but field "pack" is different: 'other'`},
		},
		"entry point above the pack": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: ../../etc/shadow\n"},
			[]string{`actions/a.yaml:3:14: entry_point: "../../etc/shadow" leads out of the pack's folder`},
		},
		"entry point from the root": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: /etc/shadow\n"},
			[]string{`actions/a.yaml:3:14: entry_point: "/etc/shadow" leads out of the pack's folder`},
		},
		"entry point round the corner": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: a/../../../x\n"},
			[]string{`actions/a.yaml:3:14: entry_point: "a/../../../x" leads out of the pack's folder`},
		},
		"entry point with backslashes": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: '..\\..\\x'\n"},
			[]string{`actions/a.yaml:3:14: entry_point: "..\\..\\x" is not a path`},
		},
		"entry point with a drive": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: 'c:x'\n"},
			[]string{`actions/a.yaml:3:14: entry_point: "c:x" leads out of the pack's folder`},
		},
		"entry point by a link": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: x.py\n", "actions/x.py": "->/etc/passwd"},
			[]string{`actions/a.yaml:3:14: entry_point: "actions/x.py": the path leads out of the pack's folder`},
		},
		"entry point not there": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: python-script\nentry_point: x.py\n"},
			[]string{`actions/a.yaml:3:14: entry_point: there is no file "actions/x.py" in the pack`},
		},
		"metadata by a link": {
			map[string]string{"actions/a.yaml": "->/etc/passwd"},
			[]string{"actions/a.yaml: the path leads out of the pack's folder"},
		},
		"metadata by a link to itself": {
			map[string]string{"actions/a.yaml": "->a.yaml"},
			[]string{"actions/a.yaml: too many levels of symbolic links"},
		},
		"control character": {
			map[string]string{"actions/a.yaml": "name: a\x00b\nrunner_type: noop\n"},
			[]string{"actions/a.yaml:1:8: the control character U+0000 is not allowed"},
		},
		"not UTF-8": {
			map[string]string{"actions/a.yaml": "name: a\ndescription: \xff\nrunner_type: noop\n"},
			[]string{"actions/a.yaml:2:14: the text is not UTF-8: byte 0xff"},
		},
		"not a number JSON has": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nparameters:\n  x: {default: .inf}\n"},
			[]string{"actions/a.yaml:3:1: parameters cannot be written as JSON: Out of range float values are not JSON compliant"},
		},
		"key twice": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\nname: a2\n"},
			[]string{`actions/a.yaml:3:1: the key "name" stands twice, first on line 1; this one counts`},
		},
		"name twice": {
			map[string]string{"actions/a.yaml": "name: a\nrunner_type: noop\n", "actions/b.yaml": "name: a\nrunner_type: noop\n"},
			[]string{"actions/b.yaml:1:7: the action demo.a stands in actions/a.yaml too; this file counts"},
		},
		"names": {
			map[string]string{
				"actions/a.yaml": "name: ''\nrunner_type: noop\n", "actions/b.yaml": "name: ' b'\nrunner_type: noop\n", "actions/c.yaml": "name: \"c\\nd\"\nrunner_type: noop\n",
				"actions/d.yaml": "name: \"d\\u200b\"\nrunner_type: noop\n", "aliases/e.yaml": "name: \"\\u202ee\"\naction_ref: core.noop\nformats: [x]\n", "actions/f.yaml": "name: " + strings.Repeat("f", 300) + "\nrunner_type: noop\n",
			},
			[]string{
				"actions/a.yaml:1:7: name: it is empty", `actions/b.yaml:1:7: name: " b" has blanks around it`, `actions/c.yaml:1:7: name: "c\nd" holds a character that cannot be seen`,
				`actions/d.yaml:1:7: name: "d\u200b" holds a character that cannot be seen`, "actions/f.yaml:1:7: name: it has 300 bytes, over the limit of 256", `aliases/e.yaml:1:7: name: "\u202ee" holds a character that cannot be seen`,
			},
		},
		"alias": {
			map[string]string{"aliases/a.yaml": "name: a\nformats: [x]\n"},
			[]string{"aliases/a.yaml:1:1: 'action_ref' is a required property"},
		},
		"alias with a bare representation": {
			map[string]string{"aliases/a.yaml": "name: a\naction_ref: core.noop\nformats:\n  - display: x\n    representation: x\n"},
			[]string{"aliases/a.yaml:5:21: formats.0.representation: 'x' is not of type 'array'"},
		},
		"alias of what is no ref": {
			map[string]string{"aliases/a.yaml": "name: a\naction_ref: noop\nformats: [x]\n"},
			[]string{`aliases/a.yaml:2:13: action_ref: "noop" is not a reference of the form pack.name`},
		},
		"empty config schema": {
			map[string]string{"config.schema.yaml": "---\n"},
			[]string{`config.schema.yaml:2:1: Config schema "DIR/config.schema.yaml" is empty and invalid.`},
		},
		"config schema": {
			map[string]string{"config.schema.yaml": "a:\n  type: strnig\n"},
			[]string{"config.schema.yaml:2:9: a.type: 'strnig' is not one of ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']"},
		},
		"kinds that come later are left alone": {
			map[string]string{"rules/r.yaml": "a: b: c", "sensors/s.yaml": "[", "policies/p.yaml": "x", "triggers/t.yaml": "\x00"},
			nil,
		},
		"other files are left alone": {
			map[string]string{"actions/config.yaml": "a: b: c", "actions/x.json": "{", "actions/sub/y.yaml": "a: b: c", "actions/.hidden.yaml": "[", "README.md": "\xff", "etc/z.yaml": "["},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, filepath.Join(t.TempDir(), "demo"), map[string]string{"pack.yaml": goodManifest, "actions/good.yaml": goodAction})
			folder(t, dir, c.files)
			content, problems, err := packs.Load(dir, packs.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, strings.ReplaceAll(strings.TrimPrefix(p.Error(), dir+"/"), dir, "DIR"))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			good := false
			for _, a := range content.Actions {
				good = good || a.Name == "good"
			}
			if !good {
				t.Error("the good action was not loaded")
			}
		})
	}
}

func TestLoad_BrokenManifests(t *testing.T) {
	for _, c := range []struct{ folder, manifest, want string }{
		{"demo", "name: [", "pack.yaml:1:7: did not find expected node content"},
		{"demo", "- x", "pack.yaml:1:1: a map of the pack's fields expected"},
		{"demo", "name: demo\nversion: 1.0.0\nauthor: A\nemail: a@b\n", "pack.yaml:1:1: 'description' is a required property"},
		{"demo", strings.Replace(goodManifest, "1.0.0", "0.1", 1), `pack.yaml:4:10: Pack version "0.1" doesn't follow a valid semver format. Valid versions and formats include: 0.1.0, 0.2.1, 1.1.0, etc.`},
		{"demo", strings.Replace(goodManifest, "1.0.0", "one", 1), `pack.yaml:4:10: Pack version "one" doesn't follow a valid semver format. Valid versions and formats include: 0.1.0, 0.2.1, 1.1.0, etc.`},
		{"demo", goodManifest + "ref: De-Mo\n", `pack.yaml:7:6: Pack ref / name can only contain valid word characters (a-z, 0-9 and _), dashes are not allowed: "De-Mo"`},
		{"demo", goodManifest + "ref: _global\n", "pack.yaml:7:6: the ref _global is reserved"},
		{"demo", goodManifest + "ref: ..\n", `pack.yaml:7:6: Pack ref / name can only contain valid word characters (a-z, 0-9 and _), dashes are not allowed: ".."`},
		{"demo", goodManifest + "ref: " + strings.Repeat("a", 300) + "\n", "pack.yaml:7:6: the ref is longer than 200 characters"},
		{"demo", goodManifest + "ref: 5\n", "pack.yaml:7:6: ref: a text expected"},
		{"De-Mo", strings.Replace(goodManifest, "name: demo", "name: De Mo", 1), `pack.yaml:2:7: Pack name "De Mo" contains invalid characters and "ref" attribute is not available. You either need to add "ref" attribute which contains only word characters to the pack metadata file or update name attribute to contain only word characters.`},
		{"demo", goodManifest + "keywords: x\n", "pack.yaml:7:11: keywords: 'x' is not of type 'array'"},
		{"demo", goodManifest + "python_versions: [\"4\"]\n", "pack.yaml:7:19: python_versions.0: '4' is not one of ['2', '3']"},
		{"demo", goodManifest + "x: &a [*a]\n", "pack.yaml:7:8: the alias *a stands inside its own anchor"},
		{"demo", "", "pack.yaml:1:1: a map of the pack's fields expected"},
	} {
		dir := folder(t, filepath.Join(t.TempDir(), c.folder), map[string]string{"pack.yaml": c.manifest, "actions/good.yaml": goodAction})
		_, _, err := packs.Load(dir, packs.Limits{})
		if err == nil {
			t.Errorf("%q was taken", c.manifest)
			continue
		}
		if got := strings.TrimPrefix(err.Error(), dir+"/"); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.manifest, got, c.want)
		}
	}
	empty := t.TempDir()
	if _, _, err := packs.Load(empty, packs.Limits{}); err == nil || err.Error() != empty+": the folder has no pack.yaml, so it is not a pack" {
		t.Errorf("no manifest: %v", err)
	}
	linked := folder(t, filepath.Join(t.TempDir(), "demo"), map[string]string{"pack.yaml": "->/etc/passwd"})
	if _, _, err := packs.Load(linked, packs.Limits{}); err == nil || !strings.Contains(err.Error(), "the path leads out of the pack's folder") {
		t.Errorf("a manifest by a link: %v", err)
	}
}

func TestLoad_Refs(t *testing.T) {
	for _, c := range []struct{ folder, extra, want string }{
		{"demo", "", "demo"},
		{"other", "", "other"},
		{"other", "ref: mine\n", "mine"},
		{"stackstorm-demo", "", "demo"},
	} {
		dir := folder(t, filepath.Join(t.TempDir(), c.folder), map[string]string{"pack.yaml": goodManifest + c.extra})
		content, _, err := packs.Load(dir, packs.Limits{})
		if err != nil || content.Pack.Ref != c.want || content.Pack.UID != "pack:"+c.want {
			t.Errorf("folder %s, %q: %q %v, want %s", c.folder, c.extra, content.Pack.Ref, err, c.want)
		}
	}
}

func TestLoad_Limits(t *testing.T) {
	many := map[string]string{"pack.yaml": goodManifest}
	for i := 0; i < 20; i++ {
		many["actions/a"+string(rune('a'+i))+".yaml"] = "name: a" + string(rune('a'+i)) + "\nrunner_type: noop\n"
	}
	dir := folder(t, filepath.Join(t.TempDir(), "demo"), many)
	folder(t, dir, map[string]string{"a/b/c/d/e/f": "x", "aliases/long.yaml": "name: " + strings.Repeat("x", 2000)})
	for _, c := range []struct {
		limits packs.Limits
		want   string
	}{
		{packs.Limits{Files: 10}, "the pack has more than 10 files"},
		{packs.Limits{Depth: 3}, "folders are nested deeper than 3 levels"},
		{packs.Limits{Items: 10}, "actions: the pack has 20 actions, over the limit of 10; none is registered"},
		{packs.Limits{FileBytes: 1000}, "aliases/long.yaml: the file has 2006 bytes, over the limit of 1000"},
		{packs.Limits{MetadataBytes: 200}, "the pack's metadata is over the limit of 200 bytes"},
	} {
		_, problems, err := packs.Load(dir, c.limits)
		found := err != nil && strings.Contains(err.Error(), c.want)
		for _, p := range problems {
			found = found || strings.Contains(p.Error(), c.want)
		}
		if !found {
			t.Errorf("%+v: %v %v", c.limits, err, problems)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(goodManifest, goodAction, "name: a\naction_ref: core.noop\nformats: [x]\n", "a: {type: string}\n")
	f.Add("name: x", "- a", "{", "")
	f.Fuzz(func(t *testing.T, manifest, action, alias, schema string) {
		dir := folder(t, filepath.Join(t.TempDir(), "demo"), map[string]string{
			"pack.yaml": "#" + manifest, "actions/a.yaml": "#" + action, "aliases/a.yaml": "#" + alias, "config.schema.yaml": "#" + schema,
		})
		for name, text := range map[string]string{"pack.yaml": manifest, "actions/a.yaml": action, "aliases/a.yaml": alias, "config.schema.yaml": schema} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		content, problems, err := packs.Load(dir, packs.Limits{FileBytes: 64 << 10})
		if err != nil {
			return
		}
		for _, p := range problems {
			if p.Reason == "" || p.Dir == "" {
				t.Fatalf("a problem without reason or folder: %+v", p)
			}
		}
		if len(content.Actions) > 1 || len(content.Aliases) > 1 || content.Pack.Ref == "" {
			t.Fatalf("%+v", content)
		}
	})
}
