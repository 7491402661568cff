package bot

import (
	"context"
	"fmt"

	"petrel"
)

// click handles a taken choice. What it does is read from the stored message.
func (b *Bot) click(ctx context.Context, row petrel.ChatEvent, owner string, e Event) (verdict, error) {
	var p payload
	_ = unmarshal(row.Payload, &p)
	post, err := b.cfg.Store.Post(ctx, p.Post)
	if err != nil && !petrel.Is(err, petrel.NotFound) {
		return verdict{}, err
	}
	late := func(text string) (verdict, error) {
		v := refusal(ReasonLate, e, "", text)
		v.reply.Private = true
		return v, b.answer(ctx, row, owner, v)
	}
	if err != nil || post.Adapter != row.Adapter || post.Workspace != row.Identity.Workspace || post.Channel != row.Channel {
		return late("That message is not here any more.")
	}
	m, err := DecodeMessage(post.Body)
	if err != nil {
		return verdict{}, err
	}
	choice, found := m.Choice(e.Choice)
	if !found {
		return late("That choice is not open any more.")
	}
	if choice.Kind == ChoiceSay {
		said := e
		said.Kind, said.Text, said.Direct = EventLine, choice.Value, true
		v, err := b.decide(ctx, said)
		if err != nil {
			return v, err
		}
		return b.act(ctx, row, owner, said, v)
	}
	return b.cancel(ctx, row, owner, e, petrel.ID(choice.Value))
}

// cancel ends a run for a person who took the choice to.
func (b *Bot) cancel(ctx context.Context, row petrel.ChatEvent, owner string, e Event, id petrel.ID) (verdict, error) {
	who, err := b.principal(ctx, e.Identity, e.Channel)
	if petrel.Is(err, petrel.Unauthorized) || petrel.Is(err, petrel.NotFound) {
		v := refusal(ReasonUnknownUser, e, "", petrel.Message(err))
		v.audit = []petrel.AuditEntry{b.auditUnknown(e, petrel.Message(err))}
		return v, b.answer(ctx, row, owner, v)
	}
	if err != nil {
		return verdict{}, err
	}
	x, err := b.cfg.Store.Execution(ctx, id)
	if err != nil && !petrel.Is(err, petrel.NotFound) {
		return verdict{}, err
	}
	resource := "execution:" + string(id)
	decision := b.cfg.Auth.Decide(ctx, who, permissionStop, resource)
	entry := who.Audit(b.cfg.Now(), permissionStop, resource, decision, nil)
	if !decision.Allow {
		v := refusal(ReasonRefused, e, decision.Reason, fmt.Sprintf("You (%s) may not cancel this: %s.", who.User, decision.Reason))
		v.audit = []petrel.AuditEntry{entry}
		return v, b.answer(ctx, row, owner, v)
	}
	v := verdict{reason: ReasonCanceled, detail: string(id)}
	if err == nil {
		_, err = b.cfg.Engine.Cancel(ctx, id, who.User, false, entry)
	}
	if petrel.Is(err, petrel.Conflict) || petrel.Is(err, petrel.NotFound) {
		v = refusal(ReasonLate, e, petrel.Message(err), fmt.Sprintf("%s is over already.", x.Action.Ref))
		v.reply.Private = true
	} else if err != nil {
		return verdict{}, err
	}
	b.live.watch(id, b.cfg.Now())
	return v, b.answer(ctx, row, owner, v)
}
