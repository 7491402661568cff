package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/aliases"
	"petrel/auth"
	"petrel/expr/value"
)

// Reason names why an event was handled the way it was. It is kept with the
// event and counted.
type Reason string

// The reasons.
const (
	ReasonNotAddressed Reason = "not addressed"      // said to somebody else
	ReasonUnknownUser  Reason = "unknown user"       // linked to nobody
	ReasonHelp         Reason = "help"               // answered by help
	ReasonNoMatch      Reason = "no match"           // no command is meant
	ReasonAmbiguous    Reason = "ambiguous"          // several commands are meant
	ReasonUnreadable   Reason = "unreadable"         // too long, or not text
	ReasonParameters   Reason = "invalid parameters" // the action does not take them
	ReasonNoAction     Reason = "no such action"
	ReasonDisabled     Reason = "disabled" // the action or its runner is switched off
	ReasonRefused      Reason = "refused"  // the person may not
	ReasonTooMany      Reason = "too many runs"
	ReasonRequested    Reason = "requested" // a run was started
	ReasonCanceled     Reason = "canceled"
	ReasonLate         Reason = "too late" // the choice or the run is over
	ReasonFailed       Reason = "failed"   // Petrel could not
)

// verdict is what an event comes to: runs to start, or words. Deciding reads and changes nothing.
type verdict struct {
	reason Reason
	detail string
	runs   []plannedRun
	reply  *Message
	audit  []petrel.AuditEntry
}

type plannedRun struct {
	aliases.Run
	alias *petrel.Alias
	who   auth.Principal
	audit petrel.AuditEntry
}

func (v verdict) outcome() string {
	if v.detail == "" {
		return string(v.reason)
	}
	return string(v.reason) + ": " + v.detail
}

func refusal(reason Reason, e Event, detail, text string) verdict {
	m := Message{Version: messageVersion, Severity: SeverityWarning, To: e.Identity.User,
		Blocks: []Block{{Kind: BlockText, Text: text}}}
	return verdict{reason: reason, detail: detail, reply: &m}
}

// decide finds out what a line comes to.
func (b *Bot) decide(ctx context.Context, e Event) (verdict, error) {
	command, addressed := Addressed(e.Text, b.cfg.Prefix, e.Direct)
	if !addressed {
		return verdict{reason: ReasonNotAddressed}, nil
	}
	who, err := b.principal(ctx, e.Identity, e.Channel)
	switch {
	case petrel.Is(err, petrel.Unauthorized), petrel.Is(err, petrel.NotFound):
		v := refusal(ReasonUnknownUser, e, "", petrel.Message(err))
		v.audit = []petrel.AuditEntry{b.auditUnknown(e, petrel.Message(err))}
		return v, nil
	case err != nil:
		return verdict{}, err
	}
	x, err := b.commands.index(ctx)
	if err != nil {
		return verdict{}, err
	}
	if word, rest, _ := strings.Cut(command, " "); strings.EqualFold(word, "help") {
		m := renderHelp(b.visible(ctx, who, x.all), rest, b.cfg.Prefix, e.Identity.User)
		m.Private = true
		return verdict{reason: ReasonHelp, reply: &m}, nil
	}
	line := command
	match, err := x.Match(line)
	if err != nil {
		// Phones write quotes that no alias means; what they wrote is tried first.
		if plain := NormalizeLine(command); plain != command {
			if again, retryErr := x.Match(plain); retryErr == nil {
				line, match, err = plain, again, nil
			}
		}
	}
	if err != nil {
		return b.unmatched(x, e, command, err), nil
	}
	return b.plan(ctx, e, who, match, line)
}

// unmatched puts the failure to find a command into words.
func (b *Bot) unmatched(x *catalog, e Event, command string, err error) verdict {
	var failure *aliases.MatchError
	if !errors.As(err, &failure) {
		return refusal(ReasonUnreadable, e, petrel.Message(err), "That cannot be a command: "+petrel.Message(err)+".")
	}
	if failure.Ambiguous() {
		text := "That can mean several commands; say it so that only one fits:"
		var detail []string
		var fields []string
		for _, c := range failure.Candidates {
			shown := c.Display
			if shown == "" {
				shown = c.Representation
			}
			fields = append(fields, fmt.Sprintf("  %s  (%s)", shown, c.Alias))
			detail = append(detail, string(c.Alias))
		}
		v := refusal(ReasonAmbiguous, e, strings.Join(detail, ", "), text)
		v.reply.Blocks = append(v.reply.Blocks, Block{Kind: BlockCode, Text: strings.Join(fields, "\n")})
		return v
	}
	text := "No command matches " + quote(command) + "."
	suggestions := x.Suggest(command, 3, "help")
	if len(suggestions) == 0 {
		text += " Say " + b.cfg.Prefix + "help for what can be said."
	} else {
		text += " Did you mean:"
	}
	detail := ""
	if len(failure.Skipped) > 0 {
		detail = "formats that could not be tried: " + failure.Skipped[0].Reason
	}
	v := refusal(ReasonNoMatch, e, detail, text)
	if len(suggestions) > 0 {
		var lines []string
		for i, s := range suggestions {
			shown := s.Display
			if s.Line != "" {
				shown = s.Line
				v.reply.Choices = append(v.reply.Choices, Choice{ID: fmt.Sprintf("say%d", i+1), Label: s.Line, Kind: ChoiceSay, Value: s.Line})
			}
			lines = append(lines, "  "+shown)
		}
		v.reply.Blocks = append(v.reply.Blocks, Block{Kind: BlockCode, Text: strings.Join(lines, "\n")})
	}
	return v
}

// plan makes runs of a match and asks whether the person may start them.
func (b *Bot) plan(ctx context.Context, e Event, who auth.Principal, match *aliases.Match, line string) (verdict, error) {
	a := match.Alias
	if len(match.Parameters) > b.cfg.MaxRuns {
		return refusal(ReasonTooMany, e, fmt.Sprint(len(match.Parameters)),
			fmt.Sprintf("That would start %d runs at once, more than the limit of %d.", len(match.Parameters), b.cfg.MaxRuns)), nil
	}
	runs, err := aliases.Plan(ctx, b.cfg.Store, aliases.Command{Alias: a, Representation: match.Representation, Line: line, Parameters: match.Parameters},
		aliases.PlanInput{Context: b.runContext(e, who, a), KV: b.cfg.KV, User: who.User})
	if err != nil {
		if v, known := b.explain(e, err, match.Display(), ""); known {
			return v, nil
		}
		return verdict{}, err
	}
	v := verdict{reason: ReasonRequested}
	for _, run := range runs {
		decision := b.cfg.Auth.Decide(ctx, who, permissionExecute, actionUID(run.Action))
		entry := who.Audit(b.cfg.Now(), permissionExecute, actionUID(run.Action), decision, maskedArguments(run))
		if !decision.Allow {
			v := refusal(ReasonRefused, e, string(run.Action.Ref)+": "+decision.Reason,
				fmt.Sprintf("You (%s) may not run %s: %s.", who.User, run.Action.Ref, decision.Reason))
			v.audit = []petrel.AuditEntry{entry}
			return v, nil
		}
		v.runs = append(v.runs, plannedRun{run, a, who, entry})
	}
	return v, nil
}

// explain puts an error of a command's parameters or action into words;
// anything else is not the person's doing.
func (b *Bot) explain(e Event, err error, display string, ref petrel.Ref) (verdict, bool) {
	text := petrel.Message(err)
	var named *petrel.Error
	field := ""
	if errors.As(err, &named) {
		field = named.Field
	}
	if ref != "" {
		text = fmt.Sprintf("%s was not started: %s", ref, text)
	}
	text = strings.TrimRight(text, " .") + "."
	reason := ReasonParameters
	switch petrel.KindOf(err) {
	case petrel.Invalid, petrel.TooLarge:
		if strings.Contains(text, "disabled") {
			reason = ReasonDisabled
		}
	case petrel.NotFound:
		reason = ReasonNoAction
	case petrel.Forbidden:
		reason = ReasonRefused
	case petrel.TooMany, petrel.Conflict:
		reason = ReasonFailed
	default:
		return verdict{}, false
	}
	detail := text
	if field != "" && reason == ReasonParameters && !strings.Contains(text, field) {
		text += fmt.Sprintf(" (parameter %s)", field)
	}
	v := refusal(reason, e, detail, text)
	if display != "" && reason == ReasonParameters {
		v.reply.Blocks = append(v.reply.Blocks, Block{Kind: BlockText, Text: "The command is:"}, Block{Kind: BlockCode, Text: display})
	}
	return v, true
}

// runContext is the context of a run that a chat line starts.
func (b *Bot) runContext(e Event, who auth.Principal, a *petrel.Alias) *value.Dict {
	return value.DictOf(
		"action_alias_ref", value.DictOf("id", string(a.ID), "name", a.Name),
		"api_user", who.User,
		"user", who.User,
		"source_channel", e.Channel,
		"chat_user", e.Identity.String(),
	)
}

func maskedArguments(run aliases.Run) petrel.JSON {
	raw, err := value.ToJSON(actions.Mask(run.Spec, run.Parameters), value.CompactJSON)
	if err != nil {
		return nil
	}
	return raw
}

func (b *Bot) auditUnknown(e Event, reason string) petrel.AuditEntry {
	at := b.cfg.Now()
	return petrel.AuditEntry{ID: petrel.NewID(at), At: petrel.Micros(at), Chat: e.Identity.String(), From: e.Channel,
		Action: permissionExecute, Target: "chat", Allowed: false, Reason: reason}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
