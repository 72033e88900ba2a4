package identity

import "dorado/modules/access"

// What administrators may do. Everybody may manage the own profile, password, sessions and tokens.
const (
	UserRead    access.Permission = "user.read"
	UserCreate  access.Permission = "user.create"
	UserEdit    access.Permission = "user.edit"
	UserDelete  access.Permission = "user.delete"
	TokenManage access.Permission = "token.manage" // tokens of others
)

// Rules declares the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(UserRead), access.Allow(UserCreate), access.Allow(UserEdit), access.Allow(UserDelete), access.Allow(TokenManage),
	}
}
