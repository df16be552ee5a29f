//go:build e2e

package e2e_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
)

// certificateOf writes a server's certificate to a file.
func certificateOf(c *call, guard *httptest.Server) (path string) {
	block := &pem.Block{Type: "CERTIFICATE", Bytes: guard.Certificate().Raw}
	return c.file("ca.pem", string(pem.EncodeToMemory(block)))
}

// subversion serves what "svn list" needs of a Subversion server: one revision with one file.
func subversion(*call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		if r.Method == http.MethodOptions {
			for _, property := range []string{"1,2", "version-control",
				"http://subversion.tigris.org/xmlns/dav/svn/depth"} {
				w.Header().Add("DAV", property)
			}
			for name, value := range map[string]string{
				"Youngest-Rev": "1", "Repository-UUID": "5d4c2e4e-0000-4000-8000-000000000001", "Repository-Root": "/",
				"Me-Resource": "/!svn/me", "Rev-Root-Stub": "/!svn/rvr", "Rev-Stub": "/!svn/rev",
				"Txn-Root-Stub": "/!svn/txr", "Txn-Stub": "/!svn/txn",
			} {
				w.Header().Set("SVN-"+name, value)
			}
			io.WriteString(w, `<D:options-response xmlns:D="DAV:"><D:activity-collection-set>`+
				`<D:href>/!svn/act/</D:href></D:activity-collection-set></D:options-response>`)
			return
		}
		const folder, file = `<D:resourcetype><D:collection/></D:resourcetype>`, `<D:resourcetype/>`
		properties := map[string]string{"/!svn/rvr/1": folder}
		if r.Header.Get("Depth") == "1" {
			properties["/!svn/rvr/1/hello.txt"] = file
		}
		multistatus(w, properties)
	})
}

// multistatus answers PROPFIND: the properties of each path, in XML.
func multistatus(w http.ResponseWriter, properties map[string]string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">`)
	for path, xml := range properties {
		io.WriteString(w, `<D:response><D:href>`+path+`</D:href><D:propstat><D:prop>`+xml+
			`</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`)
	}
	io.WriteString(w, `</D:multistatus>`)
}
