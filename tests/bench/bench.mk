# SPDX-License-Identifier: GPL-2.0-or-later
$(B)/tests/bench/unpack: $(B)/tests/bench/unpack.o $(B)/libcore.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(pc_libs)

.PHONY: bench
bench: programs deb $(B)/tests/bench/unpack ## the numbers: ours against Debian's dkms, dpkg-deb and make (root)
	tests/bench/bench.sh $(B)
