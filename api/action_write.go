package api

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/auth"
	"petrel/expr/value"
	"petrel/schema/metadata"
	"petrel/storage"
)

const textSystemPack = "Resources belonging to system level packs can't be manipulated"

// actionBody reads the body of a create or an update.
func (c *call) actionBody(name string, kind metadata.Kind) (*value.Dict, error) {
	body, err := c.body(true, c.a.bodies[name])
	if err != nil {
		return nil, err
	}
	if parameters, ok := body.GetStr("parameters"); ok {
		if err := metadata.Schema(metadata.Parameters).First(parameters); err != nil {
			return nil, err
		}
	}
	return cleaned(body, metadata.Schema(kind))
}

// actionFrom makes an action of a body.
func actionFrom(body *value.Dict) (petrel.Action, error) {
	x := petrel.Action{
		Pack: textOf(body, "pack"), Name: textOf(body, "name"), Description: textOf(body, "description"),
		Enabled: boolOf(body, "enabled", true), RunnerType: textOf(body, "runner_type"),
		EntryPoint: textOf(body, "entry_point"), MetadataFile: textOf(body, "metadata_file"),
	}
	for _, name := range []struct{ field, text string }{{"name", x.Name}, {"pack", x.Pack}} {
		if err := checkName(name.field, name.text); err != nil {
			return x, err
		}
	}
	var err error
	if x.Parameters, err = fieldJSON(body, "parameters"); err != nil {
		return x, err
	}
	if x.OutputSchema, err = fieldJSON(body, "output_schema"); err != nil {
		return x, err
	}
	if notify := objectOf(body, "notify"); notify != nil {
		if x.Notify, err = normalNotify(notify); err != nil {
			return x, err
		}
	}
	tags, _ := body.GetStr("tags")
	items, _ := value.IsSequence(tags)
	for _, item := range items {
		if d := asDict(item); d != nil {
			x.Tags = append(x.Tags, petrel.Tag{Name: textOf(d, "name"), Value: textOf(d, "value")})
		}
	}
	x.Ref = petrel.MakeRef(x.Pack, x.Name)
	x.UID = "action:" + x.Pack + ":" + x.Name
	return x, nil
}

// maxName bounds names of content, in bytes.
const maxName = 255

// checkName refuses names that could not be written or found again.
func checkName(field, name string) error {
	switch {
	case name == "":
		return petrel.Errorf(petrel.Invalid, "%s must not be empty", field)
	case len(name) > maxName:
		return petrel.Errorf(petrel.Invalid, "%s has %d bytes, at most %d are taken", field, len(name), maxName)
	case strings.ContainsAny(name, "/\\") || name == "." || name == "..":
		return petrel.Errorf(petrel.Invalid, "%s \"%s\" holds a path separator", field, cutText(name))
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return petrel.Errorf(petrel.Invalid, "%s holds a control character", field)
		}
	}
	return nil
}

// checkAction is what StackStorm checks of an action before it stores it.
// st2: st2common/st2common/validators/api/action.py
func (c *call) checkAction(x petrel.Action) (petrel.Pack, error) {
	if petrel.IsSystemPack(x.Pack) {
		return petrel.Pack{}, petrel.Errorf(petrel.Invalid, textSystemPack)
	}
	runner, err := c.a.cfg.Store.RunnerType(c.ctx(), x.RunnerType)
	if petrel.Is(err, petrel.NotFound) {
		return petrel.Pack{}, petrel.Errorf(petrel.Invalid, "RunnerType %s is not found. If you are using old and deprecated runner name, "+
			"you need to switch to a new one. For more information, please see "+
			"https://docs.stackstorm.com/upgrade_notes.html#st2-v0-9", cutText(x.RunnerType))
	}
	if err != nil {
		return petrel.Pack{}, err
	}
	pack, err := c.a.cfg.Store.Pack(c.ctx(), x.Pack)
	if petrel.Is(err, petrel.NotFound) || err == nil && !isFolder(pack.Path, "actions") {
		return petrel.Pack{}, petrel.Errorf(petrel.Invalid, "Content pack \"%s\" is not found or doesn't contain actions directory. Searched in: %s",
			cutText(x.Pack), strings.Join(c.a.cfg.PackDirs, ","))
	}
	if err != nil {
		return petrel.Pack{}, err
	}
	return pack, actions.Check(x, runner)
}

// actionCreate serves POST actions.
func (a *API) actionCreate(c *call) error {
	body, err := c.actionBody("action_create", metadata.ActionCreate)
	if err != nil {
		return err
	}
	x, err := actionFrom(body)
	if err != nil {
		return err
	}
	d, err := c.may("action_create", x.UID)
	if err != nil {
		return err
	}
	pack, err := c.checkAction(x)
	if err != nil {
		return err
	}
	x.ID = petrel.NewID(a.cfg.Now())
	if err := c.storeAction(x, pack, body, d, "action_create", storage.Admin.CreateAction); err != nil {
		return err
	}
	return c.json(http.StatusCreated, actionShape(x))
}

// actionUpdate serves PUT actions/{ref_or_id}.
func (a *API) actionUpdate(c *call) error {
	body, err := c.actionBody("action_update", metadata.ActionUpdate)
	if err != nil {
		return err
	}
	old, err := c.action()
	if err != nil {
		return err
	}
	d, err := c.may("action_modify", old.UID)
	if err != nil {
		return err
	}
	if textOf(body, "pack") == "" {
		body.SetStr("pack", old.Pack)
	}
	x, err := actionFrom(body)
	if err != nil {
		return err
	}
	pack, err := c.checkAction(x)
	if err != nil {
		return err
	}
	x.ID = old.ID
	stored := x
	if !body.Has("description") {
		// StackStorm's database keeps a description that an update leaves out.
		stored.Description = old.Description
	}
	if err := c.storeAction(stored, pack, body, d, "action_modify", storage.Admin.UpdateAction); err != nil {
		return err
	}
	return c.json(http.StatusOK, actionShape(x))
}

// storeAction writes an action's files and stores it. The row is written in a
// transaction that ends after the files are there; a row that cannot be stored
// leaves no files behind.
func (c *call) storeAction(x petrel.Action, pack petrel.Pack, body *value.Dict, d auth.Decision, permission string,
	store func(storage.Admin, context.Context, petrel.Action) error) error {
	files, err := filesFrom(body, pack)
	if err != nil {
		return err
	}
	entry := c.entry(permission, x.UID, d, object{{"runner_type", x.RunnerType}, {"files", names(files)}})
	var undo func()
	err = c.a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		undo = undone(undo)
		if err := store(tx, ctx, x); err != nil {
			return duplicate(err, fmt.Sprintf("uid \"%s\"", x.UID), true)
		}
		if len(files) > 0 {
			var err error
			if undo, err = writePackFiles(pack, files); err != nil {
				return err
			}
			pack.Files = union(pack.Files, names(files))
			if err := tx.PutPack(ctx, pack); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		undone(undo)
	}
	return err
}

// undone takes back what an attempt wrote to disk, because its transaction
// failed or is run again.
func undone(undo func()) func() {
	if undo != nil {
		undo()
	}
	return nil
}

// filesFrom reads data_files of a body: paths below the pack's folder.
func filesFrom(body *value.Dict, pack petrel.Pack) ([]packFile, error) {
	given, _ := body.GetStr("data_files")
	items, _ := value.IsSequence(given)
	var out []packFile
	for _, item := range items {
		d := asDict(item)
		if d == nil {
			continue
		}
		name := "actions/" + textOf(d, "file_path")
		if strings.HasPrefix(textOf(d, "file_path"), "/") {
			name = textOf(d, "file_path")
		}
		if err := checkPackPath(name, " actions ", pack.Path+"/actions/"); err != nil {
			return nil, err
		}
		out = append(out, packFile{name: name, text: []byte(textOf(d, "content"))})
	}
	return out, nil
}

func names(files []packFile) []string {
	out := []string{}
	for _, f := range files {
		out = append(out, f.name)
	}
	return out
}

func union(have, more []string) []string {
	out := append([]string{}, have...)
	for _, m := range more {
		if !contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// actionDelete serves DELETE actions/{ref_or_id}.
func (a *API) actionDelete(c *call) error {
	body, err := c.body(true, a.bodies["action_delete"])
	if err != nil {
		return err
	}
	x, err := c.action()
	if err != nil {
		return err
	}
	d, err := c.may("action_delete", x.UID)
	if err != nil {
		return err
	}
	if petrel.IsSystemPack(x.Pack) {
		return petrel.Errorf(petrel.Invalid, textSystemPack)
	}
	remove := boolOf(body, "remove_files", false)
	entry := c.entry("action_delete", x.UID, d, object{{"remove_files", remove}})
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		if err := tx.DeleteAction(ctx, x.ID); err != nil {
			return err
		}
		if remove {
			pack, err := tx.Pack(ctx, x.Pack)
			if err != nil && !petrel.Is(err, petrel.NotFound) {
				return err
			}
			if err == nil {
				if err := removeActionFiles(pack, x); err != nil {
					return err
				}
			}
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

// actionClone serves POST actions/{ref_or_id}/clone: a copy of an action with
// its files under another name.
func (a *API) actionClone(c *call) error {
	body, err := c.body(true, a.bodies["action_clone"])
	if err != nil {
		return err
	}
	source, err := c.action()
	if err != nil {
		return err
	}
	if _, err := c.may("action_view", source.UID); err != nil {
		return unauthorized(err)
	}
	x := cloned(source, textOf(body, "dest_pack"), textOf(body, "dest_action"))
	for _, name := range []struct{ field, text string }{{"dest_pack", x.Pack}, {"dest_action", x.Name}} {
		if err := checkName(name.field, name.text); err != nil {
			return err
		}
	}
	d, err := c.may("action_create", x.UID)
	if err != nil {
		return unauthorized(err)
	}
	pack, err := a.cfg.Store.Pack(c.ctx(), x.Pack)
	if petrel.Is(err, petrel.NotFound) || err == nil && !isFolder(pack.Path, ".") {
		return petrel.Errorf(petrel.Invalid, "Destination pack '%s' doesn't exist", cutText(x.Pack))
	}
	if err != nil {
		return err
	}
	if petrel.IsSystemPack(x.Pack) {
		return petrel.Errorf(petrel.Invalid, textSystemPack)
	}
	from, err := a.cfg.Store.Pack(c.ctx(), source.Pack)
	if err != nil {
		return err
	}
	before, err := a.cfg.Store.Action(c.ctx(), string(x.Ref))
	if err != nil && !petrel.Is(err, petrel.NotFound) {
		return err
	}
	exists := err == nil
	entries := []petrel.AuditEntry{c.entry("action_create", x.UID, d, object{{"cloned_from", source.Ref}})}
	if exists {
		if !boolOf(body, "overwrite", false) {
			return petrel.Errorf(petrel.Invalid, "The requested destination action already exists")
		}
		d, err := c.may("action_delete", before.UID)
		if err != nil {
			return unauthorized(err)
		}
		entries = append(entries, c.entry("action_delete", before.UID, d, object{{"overwritten_by", source.Ref}}))
	}
	if _, err := c.checkAction(x); err != nil {
		return err
	}
	files, err := clonedFiles(source, x, from)
	if err != nil {
		return err
	}
	x.ID = petrel.NewID(a.cfg.Now())
	var undo func()
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		undo = undone(undo)
		if exists {
			if err := tx.DeleteAction(ctx, before.ID); err != nil {
				return err
			}
		}
		if err := tx.CreateAction(ctx, x); err != nil {
			return duplicate(err, fmt.Sprintf("uid \"%s\"", x.UID), true)
		}
		var err error
		if undo, err = writePackFiles(pack, files); err != nil {
			return err
		}
		pack.Files = union(pack.Files, names(files))
		if err := tx.PutPack(ctx, pack); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, entries...)
	})
	if err != nil {
		undone(undo)
		return err
	}
	return c.json(http.StatusCreated, actionShape(x))
}

// unauthorized makes a refusal the 401 that clone answers with, as recorded.
func unauthorized(err error) error {
	if petrel.Is(err, petrel.Forbidden) {
		return petrel.Errorf(petrel.Unauthorized, "%s", petrel.Message(err))
	}
	return err
}

// cloned is an action under another name.
// st2: st2common/st2common/services/packs.py, clone_action_db
func cloned(source petrel.Action, pack, name string) petrel.Action {
	x := source
	x.Pack, x.Name = pack, name
	x.Ref, x.UID = petrel.MakeRef(pack, name), "action:"+pack+":"+name
	x.MetadataFile = "actions/" + name + ".yaml"
	if x.EntryPoint != "" {
		if workflowRunners[x.RunnerType] {
			x.EntryPoint = "workflows/" + name + ".yaml"
		} else {
			x.EntryPoint = name + path.Ext(source.EntryPoint)
		}
	}
	return x
}
