# SPDX-License-Identifier: GPL-2.0-or-later
$(B)/tests/bench/unpack: $(B)/tests/bench/unpack.o $(B)/libcore.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(pc_libs)

.PHONY: bench
bench: programs deb rpm $(B)/tests/bench/unpack ## the numbers: ours against Debian's dkms, dpkg-deb, make and plain rpm (root)
	tests/bench/bench.sh $(B)
