// Package relational is the part of the store that is the same SQL on every
// database: one file per noun. A database joins it through DB; where one wants
// other statements (sets instead of rows, see storage/postgres) it puts a
// method of its own in front.
//
// Statements number their parameters $1, $2, … and use what both databases
// understand: "on conflict", "returning", row values, recursive queries.
package relational

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// Class says which queue a write stands in.
type Class int

// The classes of writes. Leases go before inbound chat events, those before the rest.
const (
	Lease Class = iota
	Inbound
	Rest
	Classes // how many there are
)

// Result is a result set that is being read.
type Result interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Query runs statements, inside one transaction when it was given by Write or Each.
type Query interface {
	Exec(ctx context.Context, sql string, args ...any) (changed int64, err error)
	Rows(ctx context.Context, sql string, args ...any) (Result, error)
	// Now is the database's clock in microseconds; inside a transaction it may stand still.
	Now(ctx context.Context) (int64, error)
	// In is the condition that a text column is one of the list bound to a parameter.
	In(column string, parameter int) string
	// List makes the argument for In.
	List(texts []string) any
	// Exclusive waits until no other transaction holds the same name; it is held to the end of this one.
	Exclusive(ctx context.Context, name string) error
	// Lock is put behind a select whose rows are about to change; empty where one
	// writer at a time is the rule.
	Lock() string
	// LockFree is like Lock, and leaves out rows that others have locked.
	LockFree() string
}

// DB runs transactions. A function given to it may be run again when the
// transaction has to be repeated, so it sets its results anew each time.
type DB interface {
	Read(ctx context.Context, do func(ctx context.Context, q Query) error) error
	Write(ctx context.Context, class Class, do func(ctx context.Context, q Query) error) error
	// Each runs a function for n elements and answers for each by position; one
	// that fails leaves nothing behind and takes no other with it. Elements of
	// concurrent calls share commits.
	Each(ctx context.Context, class Class, n int, do func(ctx context.Context, q Query, i int) error) []error
}

// Admin is content, identities and audit.
type Admin struct{ DB }

// Store is all nouns over a database.
type Store struct {
	Admin
	Docs  *rows.Docs
	turns *turns
}

// New joins the nouns to a database.
func New(db DB) Store {
	return Store{Admin: Admin{db}, Docs: &rows.Docs{}, turns: &turns{}}
}

var (
	_ storage.Admin      = Admin{}
	_ storage.Executions = Store{}
	_ storage.Outputs    = Store{}
	_ storage.Nodes      = Store{}
	_ storage.Chats      = Store{}
)

// InTx runs content and administration changes as one transaction.
func (s Store) InTx(ctx context.Context, do func(ctx context.Context, tx storage.Admin) error) error {
	return s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		return do(ctx, Admin{inTx{q}})
	})
}

// Now is the database's clock.
func (s Store) Now(ctx context.Context) (time.Time, error) {
	var now int64
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		now, err = q.Now(ctx)
		return err
	})
	return rows.Time(now), err
}

type writeKey struct{}

// InWrite marks the context of a write under way, and Nested says whether a
// context is marked: a write that called the store again would wait for itself.
func InWrite(ctx context.Context) context.Context { return context.WithValue(ctx, writeKey{}, true) }

// Nested is an error when the context is that of a write under way.
func Nested(ctx context.Context) error {
	if ctx.Value(writeKey{}) == nil {
		return nil
	}
	return petrel.Errorf(petrel.Internal, "The store was called from inside a transaction; use the transaction's own methods.")
}

// inTx lets the methods of Admin take part in a transaction that is under way.
type inTx struct{ q Query }

func (t inTx) Read(ctx context.Context, do func(ctx context.Context, q Query) error) error {
	return do(ctx, t.q)
}

func (t inTx) Write(ctx context.Context, _ Class, do func(ctx context.Context, q Query) error) error {
	return do(ctx, t.q)
}

func (t inTx) Each(ctx context.Context, _ Class, n int, do func(ctx context.Context, q Query, i int) error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = do(ctx, t.q, i)
	}
	return errs
}

// one reads the first row of a query into dest.
func one(ctx context.Context, q Query, dest []any, sql string, args ...any) (found bool, err error) {
	result, err := q.Rows(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	defer result.Close()
	if result.Next() {
		if err := result.Scan(dest...); err != nil {
			return false, err
		}
		found = true
	}
	result.Close()
	return found, result.Err()
}

// each reads all rows of a query.
func each(ctx context.Context, q Query, read func(scan func(dest ...any) error) error, sql string, args ...any) error {
	result, err := q.Rows(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		if err := read(result.Scan); err != nil {
			return err
		}
	}
	result.Close()
	return result.Err()
}

// texts reads a query's one text column.
func texts[T ~string](ctx context.Context, q Query, sql string, args ...any) ([]T, error) {
	var all []T
	err := each(ctx, q, func(scan func(dest ...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		all = append(all, T(text))
		return nil
	}, sql, args...)
	return all, err
}

// where collects conditions with their arguments.
type where struct {
	q     Query
	conds []string
	args  []any
}

// arg binds an argument and gives its number's text.
func (w *where) arg(value any) string {
	if text, is := value.(string); is {
		value = Searchable(text)
	}
	w.args = append(w.args, value)
	return fmt.Sprintf("$%d", len(w.args))
}

// add adds a condition whose %s are the arguments' numbers.
func (w *where) add(cond string, args ...any) {
	numbers := make([]any, len(args))
	for i, a := range args {
		numbers[i] = w.arg(a)
	}
	w.conds = append(w.conds, fmt.Sprintf(cond, numbers...))
}

// in adds the condition that a column is one of a list, if there is a list.
func in[T ~string](w *where, column string, list []T) {
	if len(list) > 0 {
		w.conds = append(w.conds, w.inText(column, plain(list)))
	}
}

func (w *where) inText(column string, list []string) string {
	w.args = append(w.args, w.q.List(list))
	return w.q.In(column, len(w.args))
}

// sql is the where clause, empty when nothing filters.
func (w *where) sql() string {
	if len(w.conds) == 0 {
		return ""
	}
	text := " where "
	for i, c := range w.conds {
		if i > 0 {
			text += " and "
		}
		text += c
	}
	return text
}

// page is the limit and offset clause.
func (w *where) page(limit, offset int) string {
	text := ""
	if limit > 0 {
		text += " limit " + w.arg(limit)
	} else if offset > 0 {
		text += " limit " + w.arg(int64(1)<<62)
	}
	if offset > 0 {
		text += " offset " + w.arg(offset)
	}
	return text
}

func plain[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = Searchable(string(v))
	}
	return all
}

// nobody is longer than any name a column takes, so that no row has it.
var nobody = strings.Repeat("?", rows.MaxName+1)

// Searchable makes a text that no column can hold, and a database may refuse
// even to compare with, into one that no row has.
func Searchable(text string) string {
	if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
		return nobody
	}
	return text
}

func notFound(format string, args ...any) error {
	return petrel.Errorf(petrel.NotFound, format, args...)
}

func conflict(id petrel.ID, format string, args ...any) error {
	return &petrel.Error{Kind: petrel.Conflict, ID: id, Message: fmt.Sprintf(format, args...)}
}

// nullable makes null of an empty text, for columns whose uniqueness holds
// among given texts only.
func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// packed makes a column's value of a user's value; untyped nil for none.
func packed(value []byte) any {
	if stored := rows.Pack(value); stored != nil {
		return stored
	}
	return nil
}
