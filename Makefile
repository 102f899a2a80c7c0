# What can be done here; each target installs what it needs (root or sudo).
.PHONY: build run test asan tsan sim explore planted mutants chaos soak fuzz compilers analyse debian13 format image readme
SEED ?= 1
NODES ?= 5
SCENARIO ?= faults
MINUTES ?= 10
SAMPLE ?= 300

build:  ## the release build, in build/release
	tools/build.sh release
run:  ## three nodes on loopback, until Ctrl-C
	tools/run.sh
test:  ## everything: builds and runs all tests
	tools/test.sh release
asan:  ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	tools/test.sh asan --label-exclude docker
tsan:  ## core, wire, net, host and simulator under ThreadSanitizer
	tools/test.sh tsan
sim:  ## replays one simulation: make sim SEED=7 NODES=50 SCENARIO=faults
	tools/build.sh release sim
	build/release/tests/sim/sim --seed $(SEED) --nodes $(NODES) --scenario $(SCENARIO)
explore:  ## all interleavings of three nodes: make explore BOUNDS="--writes 2 --steps 0 --cuts 1 --crashes 0"
	tools/build.sh release explore
	build/release/tests/sim/explore/explore $(BOUNDS)
planted:  ## plants known bugs and measures how many seeds find each
	tools/install-deps.sh
	/usr/bin/python3 tools/planted.py
mutants:  ## changes the core a little, 300 times, and says which changes no test notices: make mutants SEED=2 SAMPLE=100
	tools/install-deps.sh
	/usr/bin/python3 tools/mutants.py --seed $(SEED) --sample $(SAMPLE)
chaos:  ## real nodes under faults, with a report: make chaos MINUTES=10 NODES=5 SEED=7 [DISKS=1] (needs root)
	tools/build.sh release leasemapd chaos_driver chaos_proxy
	/usr/bin/python3 tests/e2e/chaos/run.py --nodes $(NODES) --minutes $(MINUTES) --seed $(SEED) $(if $(DISKS),--disks)
soak:  ## real nodes with clients and networks that misbehave, and their memory by the minute: make soak MINUTES=60 (needs root)
	tools/build.sh release leasemapd
	LEASEMAP_BUILD=build/release SOAK_MINUTES=$(MINUTES) /usr/bin/python3 tests/e2e/soak_test.py
fuzz:  ## each fuzz target for some seconds
	tools/fuzz.sh
compilers:  ## whether a seed plays the same by g++ and by clang++
	tools/install-deps.sh
	/usr/bin/python3 tools/compare_compilers.py 10
analyse:  ## which members are used without their lock (clang), and the checks of .clang-tidy
	/usr/bin/python3 tools/analyse.py threads
	/usr/bin/python3 tools/analyse.py tidy
debian13:  ## builds on Debian 13 and runs the unit tests there (needs root)
	tools/debian13.sh
format:  ## formats the C++ files
	tools/format.sh
image:  ## builds the image and walks through the Compose cluster
	tools/check-image.sh
readme:  ## runs the commands of the README
	/usr/bin/python3 tools/check_readme.py
