package petrel

import "encoding/json"

// RunnerType describes a runner: how actions of its kind are run and which
// parameters they all take. st2: st2common/st2common/models/api/action.py
type RunnerType struct {
	ID           ID     `json:"id"`
	UID          string `json:"uid"` // runner_type:<name>
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	Enabled      bool   `json:"enabled"`
	Package      string `json:"runner_package,omitempty"`
	Module       string `json:"runner_module,omitempty"`
	QueryModule  string `json:"query_module,omitempty"`
	Parameters   JSON   `json:"runner_parameters,omitempty"` // name → parameter schema, in order
	OutputKey    string `json:"output_key,omitempty"`
	OutputSchema JSON   `json:"output_schema,omitempty"`
}

// Tag is a name and a value attached to content.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Action is something that can be run. st2: st2common/st2common/models/api/action.py
type Action struct {
	ID           ID     `json:"id"`
	UID          string `json:"uid"` // action:<pack>:<name>
	Ref          Ref    `json:"ref"`
	Pack         string `json:"pack"`
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	Enabled      bool   `json:"enabled"`
	RunnerType   string `json:"runner_type"`
	EntryPoint   string `json:"entry_point"`
	Parameters   JSON   `json:"parameters,omitempty"`    // name → parameter schema, in order
	OutputSchema JSON   `json:"output_schema,omitempty"` // JSON schema, or the legacy property map
	Notify       JSON   `json:"notify,omitempty"`        // on-complete, on-success, on-failure
	Tags         []Tag  `json:"tags,omitempty"`
	MetadataFile string `json:"metadata_file,omitempty"` // relative to the pack's folder
}

// Pack is a folder of content with a name. st2: st2common/st2common/models/api/pack.py
type Pack struct {
	ID                ID       `json:"id"`
	UID               string   `json:"uid"` // pack:<ref>
	Ref               string   `json:"ref"`
	Name              string   `json:"name"`
	Description       string   `json:"description,omitempty"`
	Keywords          []string `json:"keywords,omitempty"`
	Version           string   `json:"version,omitempty"`
	StackStormVersion string   `json:"stackstorm_version,omitempty"`
	PythonVersions    []string `json:"python_versions,omitempty"`
	Author            string   `json:"author,omitempty"`
	Email             string   `json:"email,omitempty"`
	Contributors      []string `json:"contributors,omitempty"`
	Files             []string `json:"files,omitempty"`
	Path              string   `json:"path,omitempty"` // absolute folder; empty for packs inside the binary that were not unpacked
	Dependencies      []string `json:"dependencies,omitempty"`
	System            JSON     `json:"system,omitempty"`
	ConfigSchema      JSON     `json:"-"` // the pack's config.schema.yaml, in order
	Hash              string   `json:"-"` // of all that was read from the folder; equal hash = nothing to register
}

// Config is a pack's configuration as an administrator wrote it; dynamic
// values stand in it unrendered. st2: st2common/st2common/models/api/pack.py
type Config struct {
	ID     ID     `json:"id"`
	Pack   string `json:"pack"`
	Values JSON   `json:"values"`
}

// AliasFormat is one way to say a command. Display is for help only; each
// representation is matched. In JSON and YAML a bare string stands for a
// format whose display and only representation are that string.
type AliasFormat struct {
	Display         string
	Representations []string
	MatchMultiple   bool
	Bare            bool // it was written as a bare string and is shown as one
}

type aliasFormatObject struct {
	Display         string   `json:"display,omitempty"`
	Representations []string `json:"representation,omitempty"`
	MatchMultiple   bool     `json:"match_multiple,omitempty"`
}

// MarshalJSON writes the format in the shape it was given in.
func (f AliasFormat) MarshalJSON() ([]byte, error) {
	if f.Bare {
		return json.Marshal(f.Display)
	}
	return json.Marshal(aliasFormatObject{f.Display, f.Representations, f.MatchMultiple})
}

// UnmarshalJSON reads a bare string or an object.
func (f *AliasFormat) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*f = AliasFormat{Display: text, Representations: []string{text}, Bare: true}
		return nil
	}
	var o aliasFormatObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	*f = AliasFormat{Display: o.Display, Representations: o.Representations, MatchMultiple: o.MatchMultiple}
	return nil
}

// Alias makes a chat line start an action.
// st2: st2common/st2common/models/api/action.py (ActionAliasAPI)
type Alias struct {
	ID           ID            `json:"id"`
	UID          string        `json:"uid"` // action_alias:<pack>:<name>
	Ref          Ref           `json:"ref"`
	Pack         string        `json:"pack"`
	Name         string        `json:"name"`
	Description  string        `json:"description,omitempty"`
	Enabled      bool          `json:"enabled"`
	ActionRef    Ref           `json:"action_ref"`
	Formats      []AliasFormat `json:"formats"`
	Ack          JSON          `json:"ack,omitempty"`    // enabled, format, extra, append_url
	Result       JSON          `json:"result,omitempty"` // enabled, format, extra
	Extra        JSON          `json:"extra,omitempty"`
	Immutable    JSON          `json:"immutable_parameters,omitempty"`
	MetadataFile string        `json:"metadata_file,omitempty"`
}
