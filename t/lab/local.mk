# t/lab/: tests on a real kernel with ESP, each a Python file of a few lines.
# Run one with `t/lab/run NAME`; its logs and captures stay in t/lab/out/NAME.
LAB_TESTS += \
	t/lab/acquire.t \
	t/lab/addke.t \
	t/lab/addresses.t \
	t/lab/bad-certs.t \
	t/lab/certs.t \
	t/lab/closed.t \
	t/lab/container.t \
	t/lab/crowd.t \
	t/lab/debug.t \
	t/lab/degraded.t \
	t/lab/dhcp.t \
	t/lab/fallback.t \
	t/lab/fifty.t \
	t/lab/fleet.t \
	t/lab/foreign.t \
	t/lab/forwarder.t \
	t/lab/idle.t \
	t/lab/inbound.t \
	t/lab/interop.t \
	t/lab/keylog.t \
	t/lab/leak.t \
	t/lab/liveness.t \
	t/lab/matrix.t \
	t/lab/names.t \
	t/lab/narrow.t \
	t/lab/nat-peers.t \
	t/lab/nat.t \
	t/lab/null.t \
	t/lab/pass.t \
	t/lab/pmtu.t \
	t/lab/ppk.t \
	t/lab/precedence.t \
	t/lab/rekey-peers.t \
	t/lab/rekey.t \
	t/lab/release.t \
	t/lab/reload.t \
	t/lab/restart.t \
	t/lab/self.t \
	t/lab/sources.t \
	t/lab/spoof.t \
	t/lab/stall.t \
	t/lab/stubs.t \
	t/lab/suspend.t \
	t/lab/verify.t \
	t/lab/xfrm.t

# A peer that shows whatever certificates bad-certs.t wants.
check_PROGRAMS += t/lab/present
t_lab_present_SOURCES = t/lab/present.c t/initiator.c t/initiator.h t/pki.c t/pki.h
t_lab_present_LDADD = $(IKE_LIBS)

EXTRA_DIST += $(LAB_TESTS) quickstart packages.list .ci/run \
	t/lab/asleep.c \
	t/lab/connect.c \
	t/lab/demo.py \
	t/lab/matrix.table \
	t/lab/interop/__init__.py \
	t/lab/interop/cell.py \
	t/lab/interop/rows.py \
	t/lab/interop/scenes.py \
	t/lab/init \
	t/lab/prepare \
	t/lab/run \
	t/lab/lab/__init__.py \
	t/lab/lab/dns.py \
	t/lab/lab/host.py \
	t/lab/lab/kernel.py \
	t/lab/lab/nat.py \
	t/lab/lab/net.py \
	t/lab/lab/packet.py \
	t/lab/lab/peers.py \
	t/lab/lab/pki.py \
	t/lab/lab/rekeying.py \
	t/lab/lab/state.py \
	t/lab/lab/swan.py \
	t/lab/lab/talk.py \
	t/lab/lab/tap.py \
	t/lab/lab/wait.py

clean-local: clean-lab
clean-lab:
	rm -rf t/lab/out t/lab/root t/lab/root.lock
.PHONY: clean-lab
