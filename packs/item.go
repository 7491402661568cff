package packs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"petrel"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
	"petrel/schema/metadata"
)

// text is a field that the schema has made sure is a text, or nothing.
func text(dict *value.Dict, field string) string {
	v, _ := dict.GetStr(field)
	s, _ := v.(string)
	return s
}

// enabled is the field enabled; what is not said is enabled.
func enabled(dict *value.Dict) bool {
	v, found := dict.GetStr("enabled")
	on, isBool := v.(bool)
	return !found || !isBool || on
}

// maxName is the longest name of an action or alias; names are part of refs.
const maxName = 256

// name is the item's name, when it can be one: no invisible characters, which
// would make two names look alike, and no blanks around it.
func (l *loader) name(file string, doc *yamldoc.Document, dict *value.Dict) (string, bool) {
	name := text(dict, "name")
	reason := ""
	switch {
	case name == "":
		reason = "name: it is empty"
	case len(name) > maxName:
		reason = fmt.Sprintf("name: it has %d bytes, over the limit of %d", len(name), maxName)
	case strings.TrimSpace(name) != name:
		reason = fmt.Sprintf("name: %q has blanks around it", cut(name))
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) }):
		reason = fmt.Sprintf("name: %+q holds a character that cannot be seen", cut(name))
	}
	if reason != "" {
		l.problem(file, doc.At("name"), "%s", reason)
	}
	return name, reason == ""
}

// jsonField is a field that is kept as JSON text, and where it goes.
type jsonField struct {
	name string
	into *petrel.JSON
}

// jsons takes several fields; false when one of them cannot be JSON.
func (l *loader) jsons(file string, doc *yamldoc.Document, dict *value.Dict, fields ...jsonField) bool {
	good := true
	for _, f := range fields {
		v, ok := l.json(file, doc, dict, f.name)
		*f.into, good = v, good && ok
	}
	return good
}

// action takes an action file. st2: st2common/st2common/bootstrap/actionsregistrar.py
func (l *loader) action(file string, doc *yamldoc.Document, dict *value.Dict) {
	if !l.validate(file, doc, metadata.Action, dict) {
		return
	}
	pack := l.content.Pack.Ref
	name, ok := l.name(file, doc, dict)
	if !ok {
		return
	}
	a := petrel.Action{
		UID: "action:" + pack + ":" + name, Ref: petrel.MakeRef(pack, name), Pack: pack, Name: name,
		Description: text(dict, "description"), Enabled: enabled(dict), RunnerType: text(dict, "runner_type"),
		EntryPoint: text(dict, "entry_point"), MetadataFile: file,
	}
	good := l.jsons(file, doc, dict, jsonField{"parameters", &a.Parameters}, jsonField{"output_schema", &a.OutputSchema}, jsonField{"notify", &a.Notify})
	tags, tagsOK := l.json(file, doc, dict, "tags")
	if tagsOK && tags != nil {
		if err := json.Unmarshal(tags, &a.Tags); err != nil {
			l.problem(file, doc.At("tags"), "tags: a list of name and value expected")
			tagsOK = false
		}
	}
	if !tagsOK || !good || !l.entryPoint(file, doc, a.EntryPoint) {
		return
	}
	for i := range l.content.Actions {
		if earlier := &l.content.Actions[i]; earlier.Name == name {
			l.warn(file, doc.At("name"), "the action %s stands in %s too; this file counts", a.Ref, earlier.MetadataFile)
			*earlier = a
			return
		}
	}
	l.content.Actions = append(l.content.Actions, a)
}

// entryPoint checks that an entry point is inside the pack.
func (l *loader) entryPoint(file string, doc *yamldoc.Document, entry string) bool {
	if entry == "" {
		return true
	}
	rel, err := entryPath(l.dir, entry)
	if err != nil {
		l.problem(file, doc.At("entry_point"), "%s", err)
		return false
	}
	if _, err := l.root.Stat(rel); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			l.warn(file, doc.At("entry_point"), `entry_point: there is no file "%s" in the pack`, cut(rel))
			return true
		}
		l.problem(file, doc.At("entry_point"), `entry_point: "%s": %s`, cut(rel), plain(err))
		return false
	}
	return true
}

// entryPath gives an entry point relative to the pack's folder. It is written
// relative to the folder actions, or absolute and inside the pack.
func entryPath(dir, entry string) (string, error) {
	outside := petrel.Errorf(petrel.Invalid, `entry_point: "%s" leads out of the pack's folder`, cut(entry))
	if strings.ContainsAny(entry, "\x00\n\r") || strings.Contains(entry, `\`) {
		return "", petrel.Errorf(petrel.Invalid, `entry_point: %q is not a path`, cut(entry))
	}
	if filepath.IsAbs(entry) {
		rel, err := filepath.Rel(dir, entry)
		if err != nil || !filepath.IsLocal(rel) {
			return "", outside
		}
		return filepath.ToSlash(rel), nil
	}
	if strings.HasPrefix(entry, "/") || len(entry) > 1 && entry[1] == ':' {
		return "", outside
	}
	rel := path.Join("actions", entry)
	if !filepath.IsLocal(rel) {
		return "", outside
	}
	return rel, nil
}

// alias takes an alias file. st2: st2common/st2common/bootstrap/aliasesregistrar.py
func (l *loader) alias(file string, doc *yamldoc.Document, dict *value.Dict) {
	if !l.validate(file, doc, metadata.Alias, dict) {
		return
	}
	pack := l.content.Pack.Ref
	name, ok := l.name(file, doc, dict)
	if !ok {
		return
	}
	a := petrel.Alias{
		UID: "action_alias:" + pack + ":" + name, Ref: petrel.MakeRef(pack, name), Pack: pack, Name: name,
		Description: text(dict, "description"), Enabled: enabled(dict), ActionRef: petrel.Ref(text(dict, "action_ref")), MetadataFile: file,
	}
	good := l.jsons(file, doc, dict, jsonField{"ack", &a.Ack}, jsonField{"result", &a.Result}, jsonField{"extra", &a.Extra}, jsonField{"immutable_parameters", &a.Immutable})
	formats, formatsOK := l.json(file, doc, dict, "formats")
	if !formatsOK || !good {
		return
	}
	if formats != nil {
		if err := json.Unmarshal(formats, &a.Formats); err != nil {
			l.problem(file, doc.At("formats"), "formats: a list of texts, or of display and representation, expected")
			return
		}
	}
	if !strings.Contains(string(a.ActionRef), ".") {
		l.warn(file, doc.At("action_ref"), `action_ref: "%s" is not a reference of the form pack.name`, cut(string(a.ActionRef)))
	}
	for i := range l.content.Aliases {
		if earlier := &l.content.Aliases[i]; earlier.Name == name {
			l.warn(file, doc.At("name"), "the alias %s stands in %s too; this file counts", a.Ref, earlier.MetadataFile)
			*earlier = a
			return
		}
	}
	l.content.Aliases = append(l.content.Aliases, a)
}
