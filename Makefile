# A thin layer over CMake: each line here is one command that can as well be typed by hand.
#   make          the release binary, build/release/born (static, stripped), and the libraries
#   make demo     trains a network on real images and predicts with it;  make demo-onnx  trained networks of others
#   make test     release build with all tests
#   make bench    measurements, as ratios;  make lint  checks of the sources;  make install [PREFIX=/usr/local]
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
BUILD = build/release
MAKEFLAGS += --no-print-directory
NINJA := $(shell command -v ninja 2>/dev/null)
ifneq ($(NINJA),)
ifeq ($(wildcard $(BUILD)/CMakeCache.txt),)
export CMAKE_GENERATOR = Ninja
endif
endif

.PHONY: release demo demo-onnx test bench lint install clean soak configure

release: configure
	@cmake --build $(BUILD) --parallel $(JOBS) --target born born_static born_shared

configure:
	@scripts/bootstrap.sh build
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) --log-level=WARNING

demo:
	@scripts/bootstrap.sh demo || true
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) --log-level=WARNING
	@cmake --build $(BUILD) --parallel $(JOBS) --target born
	@scripts/demo.sh $(BUILD)

demo-onnx: release
	@cmake --build $(BUILD) --parallel $(JOBS) --target example_demo
	@scripts/demo_onnx.sh $(BUILD)

test:
	@scripts/bootstrap.sh test
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) --log-level=WARNING
	@cmake --build $(BUILD) --parallel $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS); code=$$?; scripts/say_skipped.sh $(BUILD); exit $$code

bench: release
	@cmake --build $(BUILD) --parallel $(JOBS) --target benches
	@scripts/bench.sh $(BUILD)

lint: release
	@scripts/lint.sh $(BUILD)

soak:
	@scripts/soak.sh

install: release
	@cmake --install $(BUILD)

clean:
	@rm -rf build
