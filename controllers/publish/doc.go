// Package publish writes what package status says to the API server: the status of plugins, our conditions on their
// targets, and an Event for every transition of a plugin. It is the only writer of these, and it writes only while this
// replica leads.
//
// A write costs the API server and everybody who watches, so there are few of them: marks of one object settle before
// it is looked at, what stands there is compared with what should, and the rate of all writes is bounded. Nothing is
// remembered that the API server does not say, so a new leader goes on where the old one ended.
package publish
