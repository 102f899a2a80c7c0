"""The generated code of protos/leasemap/internal, which the build of the package makes. Not a public name."""
