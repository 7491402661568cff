package api

import (
	"context"
	"net/http"

	"petrel"
	"petrel/aliases"
	"petrel/expr/value"
	"petrel/schema/metadata"
)

// aliasExecute serves POST aliasexecution: a line that a client matched.
func (a *API) aliasExecute(c *call) error {
	v, err := c.decode(true)
	if err != nil {
		return err
	}
	body, err := cleaned(v, metadata.Schema(metadata.AliasExecution))
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:new")
	if err != nil {
		return err
	}
	results, err := c.runAlias(body, textOf(body, "name"), textOf(body, "format"), false, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, results[0])
}

// aliasMatchAndExecute serves POST aliasexecution/match_and_execute.
func (a *API) aliasMatchAndExecute(c *call) error {
	body, err := c.body(true, a.bodies["alias_match_and_execute"])
	if err != nil {
		return err
	}
	if body, err = cleaned(body, metadata.Schema(metadata.AliasMatch)); err != nil {
		return err
	}
	masked, err := c.masked("execution:new")
	if err != nil {
		return err
	}
	index, err := a.aliases.get(c.ctx())
	if err != nil {
		return err
	}
	m, err := index.Match(textOf(body, "command"))
	if err != nil {
		return invalid(err)
	}
	results, err := c.runAlias(body, m.Alias.Name, m.Representation, m.Multiple, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, object{{"results", results}})
}

// runAlias starts what a line means and renders the acknowledgements.
// st2: st2api/st2api/controllers/v1/aliasexecution.py
func (c *call) runAlias(body *value.Dict, name, format string, multiple, masked bool) ([]object, error) {
	alias, err := c.a.cfg.Store.AliasByName(c.ctx(), name)
	if err != nil {
		return nil, missing(err, "Unable to find the ActionAliasDB instance. {'name': %s}", value.Quote(cutText(name)))
	}
	if !alias.Enabled {
		return nil, petrel.Errorf(petrel.Invalid, "Action alias with name \"%s\" is disabled.", alias.Name)
	}
	line := textOf(body, "command")
	parameters, err := aliases.Parameters(&alias, format, line, multiple)
	if err != nil {
		return nil, invalid(err)
	}
	runContext := value.DictOf(
		"action_alias_ref", value.DictOf("id", string(alias.ID), "name", alias.Name),
		"api_user", textOf(body, "user"),
		"user", c.who.User,
		"source_channel", textOf(body, "source_channel"),
	)
	runs, err := aliases.Plan(c.ctx(), c.a.cfg.Store, aliases.Command{
		Alias: &alias, Representation: format, Line: line, Parameters: parameters,
	}, aliases.PlanInput{Context: runContext, KV: c.a.cfg.KV, User: c.who.User})
	if err != nil {
		return nil, err
	}
	notify, err := notifyOf(body)
	if err != nil {
		return nil, err
	}
	shown := aliasShape(alias)
	var results []object
	for _, run := range runs {
		x, _, err := c.execute(order{
			action: run.Action.Ref, parameters: run.Parameters, context: runContext.Clone(), notify: notify, literal: true,
		})
		if err != nil {
			return nil, whole(err)
		}
		shape, err := c.a.executionShape(asRequested(x), masked)
		if err != nil {
			return nil, err
		}
		result := object{{"execution", shape}, {"actionalias", shown}}
		if len(alias.Ack) > 0 {
			if err := acknowledge(c.ctx(), &result, &alias, shape, shown); err != nil {
				return nil, err
			}
		}
		results = append(results, result)
	}
	if len(results) == 0 {
		return nil, petrel.Errorf(petrel.Invalid, "Command \"%s\" doesn't match format string \"%s\"", cutText(line), cutText(format))
	}
	return results, nil
}

// acknowledge adds message and extra as the alias's ack says.
func acknowledge(ctx context.Context, result *object, alias *petrel.Alias, execution, shown object) error {
	vars := make([]*value.Dict, 2)
	for i, o := range []object{execution, shown} {
		text, err := appendJSON(nil, o)
		if err != nil {
			return err
		}
		vars[i] = dictOf(text)
	}
	said := aliases.Acknowledge(ctx, alias, vars[0], vars[1])
	if said.HasMessage {
		result.add("message", said.Message)
	}
	if said.Extra != nil {
		result.add("extra", said.Extra)
	}
	return nil
}

// notifyOf says where the end of a run that a line started is told.
func notifyOf(body *value.Dict) (petrel.JSON, error) {
	route := textOf(body, "notification_route")
	if route == "" {
		route = textOf(body, "notification_channel")
	}
	data := value.DictOf("user", textOf(body, "user"), "source_channel", textOf(body, "source_channel"))
	if given := objectOf(body, "source_context"); given != nil {
		data.SetStr("source_context", given)
	} else {
		data.SetStr("source_context", nil)
	}
	routes := value.NewList()
	if route != "" {
		routes.Append(route)
	} else {
		routes.Append(nil)
	}
	return jsonOf(value.DictOf("on-complete", value.DictOf("data", data, "routes", routes)))
}
