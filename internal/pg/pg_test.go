package pg

import "testing"

// TestCheckPassword holds that a password is one placeholder, however it is written
// down.
func TestCheckPassword(t *testing.T) {
	for address, allowed := range map[string]bool{
		"postgres://user@host/name":                                    true,
		"postgres://user:{env.PASSWORD}@host/name":                     true,
		"postgres://user:literal@host/name":                            false,
		"postgres://user:{env.PASSWORD}@host/name?password=literal":    false,
		"postgres://user@host/name?password={env.PASSWORD}&sslmode=no": true,
		"postgres://user@host/name?password=literal":                   false,
		"host=h password={env.PASSWORD} user=u":                        true,
		"host=h password='{env.PASSWORD}'":                             true,
		"host=h password=literal":                                      false,
		"host=h password = literal":                                    false,
		"host=h password  =  literal":                                  false,
		"host=h password\t=\tliteral":                                  false,
		"host=h password='literal'":                                    false,
		"host=h password={env.A} sslpassword=literal":                  false,
		"host=password_host user=u":                                    true,
	} {
		if err := CheckPassword(address); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
}
