package packs

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"

	"petrel"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
	"petrel/schema"
	"petrel/schema/metadata"
)

const (
	manifestFile     = "pack.yaml"
	configSchemaFile = "config.schema.yaml"
	// reservedRef is the name of the file of overrides for all packs.
	reservedRef = "_global"
)

var (
	refPattern     = regexp.MustCompile(`^[a-z0-9_]+$`)
	versionPattern = regexp.MustCompile(`^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[\da-z\-]+(?:\.[\da-z\-]+)*)?(?:\+[\da-z\-]+(?:\.[\da-z\-]+)*)?$`)
)

// maxRef is the longest ref that is taken; a ref is part of file names.
const maxRef = 200

// IsPackRef says whether a text can be the ref of a pack.
func IsPackRef(ref string) bool {
	return len(ref) <= maxRef && ref != reservedRef && refPattern.MatchString(ref)
}

// manifest reads pack.yaml into the pack. Its fault is the whole pack's.
// st2: st2common/st2common/bootstrap/base.py (_register_pack_db)
func (l *loader) manifest() error {
	base := filepath.Base(l.dir)
	refuse := func(at yamldoc.Position, reason string) error {
		return Problem{Pack: base, Dir: l.dir, File: manifestFile, Line: at.Line, Column: at.Column, Reason: reason}
	}
	doc, err := l.document(manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Problem{Pack: base, Dir: l.dir, Reason: "the folder has no pack.yaml, so it is not a pack"}
	}
	var e *yamldoc.Error
	switch {
	case errors.As(err, &e):
		return refuse(e.Position, e.Text)
	case err != nil:
		return refuse(yamldoc.Position{}, err.Error())
	}
	dict, ok := doc.Value.(*value.Dict)
	if !ok {
		return refuse(doc.At(), "a map of the pack's fields expected")
	}
	// A version that is not quoted is a number; it is made text as Python does.
	if v, found := dict.GetStr("version"); found && v != nil {
		if _, isText := v.(string); !isText {
			dict.SetStr("version", value.Repr(v))
		}
	}
	ref, at, reason := resolveRef(doc, dict, base)
	if reason != "" {
		return refuse(at, reason)
	}
	dict.SetStr("ref", ref)
	if v, _ := dict.GetStr("version"); v != nil {
		if text, isText := v.(string); isText && !versionPattern.MatchString(text) {
			return refuse(doc.At("version"), `Pack version "`+cut(text)+`" doesn't follow a valid semver format. Valid versions and formats include: 0.1.0, 0.2.1, 1.1.0, etc.`)
		}
	}
	if err := metadata.Schema(metadata.Pack).Validate(dict); err != nil {
		if e := schema.AsError(err); e != nil {
			return refuse(place(doc, e), within(e)+cutLong(e.Message))
		}
		return refuse(doc.At(), cutLong(err.Error()))
	}
	text, err := value.ToJSON(dict, value.CompactJSON)
	if err != nil {
		return refuse(doc.At(), "the manifest cannot be written as JSON: "+err.Error())
	}
	var fields struct {
		Name              string      `json:"name"`
		Description       string      `json:"description"`
		Keywords          []string    `json:"keywords"`
		Version           string      `json:"version"`
		StackStormVersion string      `json:"stackstorm_version"`
		PythonVersions    []string    `json:"python_versions"`
		Author            string      `json:"author"`
		Email             string      `json:"email"`
		Contributors      []string    `json:"contributors"`
		Dependencies      []string    `json:"dependencies"`
		System            petrel.JSON `json:"system"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return refuse(doc.At(), err.Error())
	}
	l.content.Pack = petrel.Pack{
		UID: "pack:" + ref, Ref: ref, Name: fields.Name, Description: fields.Description, Keywords: fields.Keywords,
		Version: fields.Version, StackStormVersion: fields.StackStormVersion, PythonVersions: fields.PythonVersions,
		Author: fields.Author, Email: fields.Email, Contributors: fields.Contributors, Files: l.listing.files, Path: l.dir,
		Dependencies: fields.Dependencies, System: fields.System,
	}
	for _, w := range doc.Warnings {
		l.warn(manifestFile, w.Position, "%s", w.Text)
	}
	return nil
}

// resolveRef finds a pack's ref: the field, else the folder's name, else the pack's name.
// st2: st2common/st2common/util/pack.py (get_pack_ref_from_metadata)
func resolveRef(doc *yamldoc.Document, dict *value.Dict, folder string) (ref string, at yamldoc.Position, reason string) {
	given, _ := dict.GetStr("ref")
	name, _ := dict.GetStr("name")
	text, isText := given.(string)
	nameText, _ := name.(string)
	switch {
	case given != nil && !isText:
		return "", doc.At("ref"), "ref: a text expected"
	case text != "":
		at, ref = doc.At("ref"), text
	case IsPackRef(folder):
		return folder, at, ""
	case refPattern.MatchString(nameText):
		at, ref = doc.At("name"), nameText
	default:
		return "", doc.At("name"), `Pack name "` + cut(nameText) + `" contains invalid characters and "ref" attribute is not available. You either need to add "ref" attribute which contains only word characters to the pack metadata file or update name attribute to contain only word characters.`
	}
	switch {
	case ref == reservedRef:
		return "", at, "the ref " + reservedRef + " is reserved"
	case len(ref) > maxRef:
		return "", at, "the ref is longer than 200 characters"
	case !refPattern.MatchString(ref):
		return "", at, `Pack ref / name can only contain valid word characters (a-z, 0-9 and _), dashes are not allowed: "` + cut(ref) + `"`
	}
	return ref, at, ""
}

// configSchema reads config.schema.yaml. A broken one leaves the pack without.
// st2: st2common/st2common/bootstrap/base.py (_register_pack_config_schema_db)
func (l *loader) configSchema() {
	if !l.has(configSchemaFile) {
		return
	}
	doc, err := l.document(configSchemaFile)
	if err != nil {
		l.fail(configSchemaFile, err)
		return
	}
	dict, ok := doc.Value.(*value.Dict)
	if doc.Value == nil || ok && dict.Len() == 0 {
		l.problem(configSchemaFile, doc.At(), `Config schema "%s" is empty and invalid.`, filepath.Join(l.dir, configSchemaFile))
		return
	}
	if !ok {
		l.problem(configSchemaFile, doc.At(), "a map of attributes and their schemas expected")
		return
	}
	whole := value.DictOf("pack", l.content.Pack.Ref, "attributes", dict)
	if err := metadata.Schema(metadata.ConfigSchema).Validate(whole); err != nil {
		e := schema.AsError(err)
		if e == nil {
			l.problem(configSchemaFile, doc.At(), "%s", cutLong(err.Error()))
			return
		}
		if len(e.Where) > 0 {
			e.Where = e.Where[1:] // below attributes, which is the file itself
		}
		l.problem(configSchemaFile, place(doc, e), "%s%s", within(e), cutLong(e.Message))
		return
	}
	text, err := value.ToJSON(dict, value.CompactJSON)
	if err != nil {
		l.problem(configSchemaFile, doc.At(), "the schema cannot be written as JSON: %v", err)
		return
	}
	l.content.Pack.ConfigSchema = text
	for _, w := range doc.Warnings {
		l.warn(configSchemaFile, w.Position, "%s", w.Text)
	}
}

func (l *loader) has(file string) bool {
	for _, f := range l.listing.files {
		if f == file {
			return true
		}
	}
	return false
}
