// Package pack has no code of its own: the tools of this module are Cloud Native Buildpacks' pack, and the lifecycle that runs
// in the containers that it makes.
package pack
