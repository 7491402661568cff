package postgres

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"petrel"
)

// sqlState is the server's error code, empty when the error is not the server's.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func class(state string) string {
	if len(state) != 5 {
		return ""
	}
	return state[:2]
}

// readOnlyState is what a server answers that is a copy since a failover.
const readOnlyState = "25006"

// repeatable says whether the same transaction may succeed when it is done
// again: it lost against another one, or the server or the way to it was away.
// It is asked only for transactions whose commit was not sent.
func repeatable(err error) bool {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	switch state := sqlState(err); state {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	case readOnlyState:
		return true
	case "0A000": // a prepared statement met tables that were changed
		return true
	case "55P03", "57014": // waited too long already
		return false
	case "":
		return connectionLost(err)
	default:
		return away(state)
	}
}

// away says whether the server ends or refuses connections for now.
func away(state string) bool {
	switch state {
	case "53300", "57P01", "57P02", "57P03", "57P05":
		return true
	}
	return class(state) == "08"
}

// connectionLost says whether the way to the server broke.
func connectionLost(err error) bool {
	var known *petrel.Error
	if errors.As(err, &known) {
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) && sqlState(err) == "" || errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, errConnection) || isEOF(err)
}

// errConnection marks an error after which the connection was found closed.
var errConnection = errors.New("the connection to the database was lost")

// dataFault says whether the fault is in the rows, so that halving the batch
// finds the one at fault.
func dataFault(err error) bool {
	switch class(sqlState(err)) {
	case "22", "23", "54": // data exception, constraint, limit of the program
		return true
	}
	return false
}

// mapError gives an error of the database its kind.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	var known *petrel.Error
	if errors.As(err, &known) {
		return err
	}
	state := sqlState(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), state == "57014", state == "55P03":
		return petrel.Wrap(petrel.Unavailable, err, "The database answers too late.")
	case errors.Is(err, context.Canceled):
		return petrel.Wrap(petrel.Unavailable, err, "The call was given up.")
	case errors.Is(err, pgx.ErrNoRows):
		return petrel.Wrap(petrel.NotFound, err, "It cannot be found.")
	case state == "23505":
		return petrel.Wrap(petrel.Conflict, err, "There is one already.")
	case class(state) == "22", class(state) == "54", class(state) == "23":
		return petrel.Wrap(petrel.Invalid, err, "The database cannot hold the value.")
	case state == "53100":
		return petrel.Wrap(petrel.Unavailable, err, "The disk of the database is full.")
	case state == readOnlyState:
		return petrel.Wrap(petrel.Unavailable, err, "The database takes no writes now.")
	case class(state) == "53", class(state) == "57", class(state) == "58", class(state) == "28", class(state) == "3D", class(state) == "40", away(state), state == "" && connectionLost(err):
		return petrel.Wrap(petrel.Unavailable, err, "The database cannot be used now.")
	}
	return petrel.Wrap(petrel.Internal, err, "The database answered with an error.")
}
