package models

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// CheckAddress checks the URL of a PostgreSQL database without connecting. Errors: ErrAddress.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}

// parseAddress reads the URL of a database. Without an sslmode in it, the connection is encrypted
// and the server verified unless every server is on this machine. No error shows the password.
// Errors: ErrAddress.
func parseAddress(address string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("%w: write postgres://USER@HOST/DATABASE", ErrAddress)
	}
	query := u.Query()
	mode := query.Get("sslmode")
	if mode == "prefer" || mode == "allow" {
		return nil, fmt.Errorf("%w: sslmode=%s allows an unencrypted connection. Set verify-full, "+
			"or disable", ErrAddress, mode)
	}
	if mode == "" {
		query.Set("sslmode", "disable")
		u.RawQuery = query.Encode()
	}
	config, err := pgx.ParseConfig(u.String())
	if err == nil && mode == "" && !isLocal(config) {
		query.Set("sslmode", "verify-full")
		u.RawQuery = query.Encode()
		config, err = pgx.ParseConfig(u.String())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// isLocal reports whether a server and each of its fallbacks are on this machine.
func isLocal(config *pgx.ConnConfig) bool {
	hosts := []string{config.Host}
	for _, other := range config.Fallbacks {
		hosts = append(hosts, other.Host)
	}
	return !slices.ContainsFunc(hosts, func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return !strings.HasPrefix(host, "/") && !strings.HasPrefix(host, "@") && host != "localhost" &&
			(err != nil || !ip.IsLoopback())
	})
}
