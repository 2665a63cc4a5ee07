# envbuild: `make` builds build/envbuild, `make check` runs every test that needs no network.
# SPDX-License-Identifier: Apache-2.0
#
#   make [CC=clang] [SAN=1] [CI=1] [V=1] [NO_ISAL=1]
#   check       lint, unit tests, fuzz corpus, command-line cases, some of torture; no network
#   torture     every call that can fail fails in turn, and power cuts; no network, half an hour
#   check-real  the same against the real archives, indexes and clients; needs the network, best as root
#   check-long  more releases and clients; as check-real, but takes longer than CI should
#   bench       envbuild against the floor and its rivals, on real inputs; needs the network and root
#   fuzz        libFuzzer on every parser, TIME seconds each (clang)
#   accept      rewrite the expectations of the command-line cases
#   man         manual pages and completions into build/share
#   install     to $(DESTDIR)$(PREFIX)/bin and share
#   dist        a wheel, a deb and an image of envbuild in build/dist; needs the network, umoci and unshare

PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
comma := ,

PKGS := libarchive libcrypto yaml-0.1 libcurl libxml-2.0 zlib libzstd libmicrohttpd libqrencode
ISAL := $(if $(NO_ISAL),,$(shell pkg-config --exists libisal && echo libisal))
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(ISAL))
PKG_LIBS := $(shell pkg-config --libs $(PKGS) $(ISAL))

# One folder a set of flags, so that switching back and forth rebuilds nothing.
NAME := $(notdir $(CC))$(if $(SAN),-san)$(if $(COVER),-cover)$(if $(NO_ISAL),-zlib)
OBJ := build/obj-$(NAME)
BIN := build/$(if $(filter cc gcc,$(NAME)),,$(NAME)/)envbuild

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla -Wdate-time \
        -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wno-unused-parameter
HARD := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fstack-clash-protection -fPIE
LINK := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
SANS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

ALL_CFLAGS := -std=c17 -D_GNU_SOURCE $(WARN) $(if $(CI),-Werror) $(HARD) $(SANS) $(if $(COVER),-fsanitize=fuzzer-no-link) $(CFLAGS) \
              -ffile-prefix-map=$(CURDIR)=. $(if $(ISAL),-DHAVE_ISAL) -MMD -MP -pthread $(PKG_CFLAGS)
ALL_LIBS := $(SANS) $(LINK) $(LDFLAGS) -pthread $(PKG_LIBS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

SRC := $(sort $(wildcard builder/*/*.c builder/*/*/*.c))
LIB_OBJ := $(patsubst %.c,$(OBJ)/%.o,$(filter-out builder/cmd/main.c,$(SRC)))
DATA := $(sort $(wildcard builder/catalog/*.yaml base-layers/*.yaml base-layers/*.gpg builder/man/* builder/seal/*.py builder/plan/*.py builder/model/*.sh builder/serve/*.html builder/serve/get.* builder/host/*.html builder/host/watch-*) $(filter-out %.c %.h,$(wildcard builder/out/bundle.*)))
UNIT := $(patsubst tests/unit/%.c,$(OBJ)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
TOOLS := $(patsubst tests/tools/%.c,$(OBJ)/tools/%,$(sort $(wildcard tests/tools/*.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(OBJ)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

all: $(BIN)

$(BIN): $(OBJ)/builder/cmd/main.o $(OBJ)/lib.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ $(ALL_LIBS)

$(OBJ)/lib.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(OBJ)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The assembler reads these, which -MMD does not see.
$(OBJ)/builder/model/embedded.o: $(DATA)

# Unit tests: one program a file, linked with everything but main.
$(OBJ)/tests/%: tests/unit/%.c $(OBJ)/lib.a
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Ibuilder -o $@ $< $(OBJ)/lib.a $(ALL_LIBS) -lcmocka

# Stands in for the driver's libnvidia-ml.so.1.
$(OBJ)/tests/test_probe: | $(OBJ)/tests/fake_nvml.so
$(OBJ)/tests/fake_nvml.so: tests/unit/fake_nvml.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARN) $(if $(CI),-Werror) $(CFLAGS) -fPIC -shared -o $@ $<

# Stands between envbuild and libc: see tests/torture.
HOOKS := $(OBJ)/tests/hooks.so
$(HOOKS): tests/torture/hooks.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARN) $(if $(CI),-Werror) $(CFLAGS) -fPIC -shared -o $@ $< -pthread

# Small programs that the scripts in tests/real/ compare with the tools they imitate.
$(OBJ)/tools/%: tests/tools/%.c $(OBJ)/lib.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Ibuilder -o $@ $< $(OBJ)/lib.a $(ALL_LIBS)

# Fuzz targets: with a plain main they replay the corpus.
$(OBJ)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(OBJ)/lib.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Ibuilder -o $@ $< tests/fuzz/replay.c $(OBJ)/lib.a $(ALL_LIBS)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

tools: $(TOOLS)

lint:
	$(Q)python3 tests/lint.py

unit: $(UNIT)
	$(Q)for t in $(UNIT); do $$t || exit 1; done

corpus: $(FUZZ)
	$(Q)for t in $(FUZZ); do $$t tests/fuzz/corpus/$${t##*/fuzz_} || exit 1; done

cli: $(BIN)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) python3 tests/cli/run.py

accept: $(BIN)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) python3 tests/cli/run.py --accept

# Every run takes the same ones.
torture-sample: $(BIN) $(HOOKS)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) HOOKS=$(CURDIR)/$(HOOKS) python3 tests/torture/torture.py --sample

torture: $(BIN) $(HOOKS)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) HOOKS=$(CURDIR)/$(HOOKS) python3 tests/torture/torture.py

check: tools lint unit corpus cli torture-sample

check-real: $(BIN) $(TOOLS)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) TOOLS=$(CURDIR)/$(OBJ)/tools sh tests/real/run.sh

check-long: $(BIN) $(TOOLS)
	$(Q)ALL=1 ENVBUILD=$(CURDIR)/$(BIN) TOOLS=$(CURDIR)/$(OBJ)/tools sh tests/real/run.sh \
	    runs-other-releases.sh build-survives.sh slim-vs-full.sh bases-vs-mmdebstrap.sh runs-on-own-base.sh \
	    runs-on-base-image.sh inspect-vs-running.sh device-code-vs-cuobjdump.sh stubs-link.sh devel-compiles.sh \
	    toolkit-libraries.py venv-vs-pip.sh solve-vs-pip.sh solve-vs-apt.py monitoring.sh services-podman.sh \
	    services-compose.sh services-torch.sh bytecode.sh builds-crates.sh builds-from-git.sh builds-project.sh \
	    builds-on-base-image.sh registry-vs-clients.sh builds-ten.sh cuda-builds.sh builds-causal-conv1d.sh flash-attn.sh updates-vs-engines.sh \
	    docker-26.sh small-runner.sh dist.sh

bench: $(BIN) $(TOOLS)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) bash tests/bench/lock.sh
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) bash tests/bench/inspect.sh
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) bash tests/bench/compression.sh
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) bash tests/bench/registry.sh
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) bash tests/bench/serve.sh
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) TOOLS=$(CURDIR)/$(OBJ)/tools bash tests/bench/bench.sh

# TIME seconds a target, new inputs kept in build/; needs clang. COVER lets the fuzzer see where inputs get to.
TIME ?= 30
fuzz:
	$(Q)$(MAKE) CC=clang SAN=1 COVER=1 build/obj-clang-san-cover/lib.a
	$(Q)for f in tests/fuzz/fuzz_*.c; do n=$$(basename $$f .c); n=$${n#fuzz_}; \
	    mkdir -p build/fuzz/$$n && clang -g -fsanitize=fuzzer,address,undefined -std=c17 -D_GNU_SOURCE \
	        $(PKG_CFLAGS) -Itests/unit -Ibuilder -o build/fuzz/fuzz_$$n $$f build/obj-clang-san-cover/lib.a \
	        -pthread $(PKG_LIBS) && \
	    build/fuzz/fuzz_$$n -max_total_time=$(TIME) build/fuzz/$$n tests/fuzz/corpus/$$n || exit 1; done

# Where they stand below share is the program's to know.
man: $(BIN)
	$(Q)rm -rf build/share
	$(Q)$(BIN) help --write build/share

install: $(BIN)
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/envbuild
	umask 022 && $(BIN) help --write $(DESTDIR)$(PREFIX)/share

dist: $(BIN)
	$(Q)ENVBUILD=$(CURDIR)/$(BIN) sh dist/dist.sh

clean:
	rm -rf build

.PHONY: all tools lint unit corpus cli torture torture-sample accept check check-real check-long bench fuzz man install dist clean
