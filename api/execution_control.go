package api

import (
	"fmt"
	"net/http"

	"petrel"
)

// executionCancel serves DELETE executions/{id}. A run that cannot be canceled
// is answered with 200 and a faultstring, as clients expect.
func (a *API) executionCancel(c *call) error {
	masked, err := c.masked("execution:" + c.path["id"])
	if err != nil {
		return err
	}
	force, err := c.boolean("force")
	if err != nil {
		return err
	}
	x, d, err := c.execution("execution_stop", false)
	if err != nil {
		return err
	}
	entry := c.entry("execution_stop", "execution:"+string(x.ID), d, object{{"status", "canceled"}})
	x2, err := a.cfg.Engine.Cancel(c.ctx(), x.ID, c.who.User, force, entry)
	if petrel.Is(err, petrel.Conflict) {
		if x2.Status == "" {
			if x2, err = a.cfg.Store.Execution(c.ctx(), x.ID); err != nil {
				return err
			}
		}
		return c.json(http.StatusOK, object{{"faultstring", fmt.Sprintf("Action cannot be canceled. State = %s.", x2.Status)}})
	}
	if err != nil {
		return err
	}
	shape, err := a.executionShape(x2, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// executionUpdate serves PUT executions/{id}: cancel, pause, resume, or a
// result that somebody else delivers.
func (a *API) executionUpdate(c *call) error {
	body, err := c.body(true, a.bodies["execution_update"])
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:" + c.path["id"])
	if err != nil {
		return err
	}
	x, d, err := c.execution("execution_stop", false)
	if err != nil {
		return err
	}
	if x.Status.Final() {
		return petrel.Errorf(petrel.Invalid, "Execution is already in completed state.")
	}
	status := petrel.Status(textOf(body, "status"))
	if status == "" {
		return petrel.Errorf(petrel.Invalid, "'status' is a required property")
	}
	var result petrel.JSON
	if body.Has("result") {
		if result, err = fieldJSON(body, "result"); err != nil {
			return err
		}
	}
	entry := c.entry("execution_stop", "execution:"+string(x.ID), d, object{{"status", status}})
	changed, err := a.cfg.Engine.SetStatus(c.ctx(), x.ID, status, result, c.who.User, entry)
	if err != nil {
		return err
	}
	shape, err := a.executionShape(changed, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}
