# envbuild: `make` builds build/envbuild, `make check` runs every test that needs no network.
# SPDX-License-Identifier: Apache-2.0

CC ?= gcc
PKGS := libarchive libcrypto yaml-0.1 libcurl jansson libxml-2.0 zlib
ISAL := $(shell pkg-config --exists libisal && echo libisal)

VARIANT := $(if $(SAN),san,plain)
B := build$(if $(SAN),/san)
OBJ := build/obj-$(notdir $(CC))-$(VARIANT)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla -Wdate-time \
        -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wno-unused-parameter
HARD := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fstack-clash-protection -fPIE
LINK := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
comma := ,
SANS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)


CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(if $(CI),-Werror) $(HARD) $(SANS) $(CFLAGS) \
             -ffile-prefix-map=$(CURDIR)=. $(if $(ISAL),-DHAVE_ISAL) -MMD -MP -pthread \
             $(shell pkg-config --cflags $(PKGS) $(ISAL))
ALL_LIBS = $(SANS) $(LINK) -pthread $(shell pkg-config --libs $(PKGS) $(ISAL))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

SRC := $(sort $(wildcard builder/*/*.c builder/*/*/*.c))
LIB_SRC := $(filter-out builder/cmd/main.c,$(SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(OBJ)/%.o)
DATA := $(sort $(wildcard builder/catalog/*.yaml base-layers/*.yaml base-layers/*.gpg))

UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(OBJ)/tests/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ := $(FUZZ_SRC:tests/fuzz/%.c=$(OBJ)/fuzz/%)

all: $(B)/envbuild

$(B)/envbuild: $(OBJ)/builder/cmd/main.o $(OBJ)/lib.a
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

# Unit tests: one program a file, linked with everything but main.
$(OBJ)/tests/%: tests/unit/%.c $(OBJ)/lib.a
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Ibuilder -o $@ $< $(OBJ)/lib.a $(ALL_LIBS) -lcmocka

# Small programs that the scripts in tests/real/ compare with the tools they imitate.
$(OBJ)/tools/%: tests/tools/%.c $(OBJ)/lib.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Ibuilder -o $@ $< $(OBJ)/lib.a $(ALL_LIBS)

# Fuzz targets: with a plain main they replay the corpus; `make fuzz` links libFuzzer (clang).
$(OBJ)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(OBJ)/lib.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Ibuilder -o $@ $< tests/fuzz/replay.c $(OBJ)/lib.a $(ALL_LIBS)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

unit: $(UNIT)
	$(Q)for t in $(UNIT); do $$t || exit 1; done

clean:
	rm -rf build

.PHONY: all unit clean
