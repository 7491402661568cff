package auth

import (
	"context"

	"petrel"
)

// Chat answers who a person in a chat stands for. A person nobody linked is
// refused (Unauthorized) with the sentence how to link; display names never
// count, the service's own id of the person does.
func (s *Service) Chat(ctx context.Context, c petrel.ChatIdentity, from string) (Principal, error) {
	u, err := s.store.ChatUser(ctx, c)
	if petrel.Is(err, petrel.NotFound) {
		return Principal{}, petrel.Errorf(petrel.Unauthorized,
			"You are not linked to a Petrel user. Ask an administrator to run: petrel user link %s NAME", c)
	}
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: u.Name, Admin: u.Admin, Service: u.IsService, Method: MethodChat, Chat: c, From: from}, nil
}

// Named is the caller that acts as a named user because a setting says so
// (such as the default user of the bot). NotFound when there is no such user.
func (s *Service) Named(ctx context.Context, name string, c petrel.ChatIdentity, from string) (Principal, error) {
	u, err := s.store.User(ctx, name)
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: u.Name, Admin: u.Admin, Service: u.IsService, Method: MethodChat, Chat: c, From: from}, nil
}
