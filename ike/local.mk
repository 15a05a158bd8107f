# ike/: the IKEv2 engine. Pure; ike/crypto alone includes GnuTLS and nettle.
noinst_LIBRARIES += libike.a
libike_a_SOURCES = \
	ike/agree.c ike/agree.h \
	ike/anonymous.c ike/anonymous.h \
	ike/auth.c ike/auth.h \
	ike/child.c \
	ike/conn.h \
	ike/const.c ike/const.h \
	ike/contact.c \
	ike/create.c ike/create.h \
	ike/create_ours.c \
	ike/create_suite.c \
	ike/crossing.c \
	ike/crypto/aead.c ike/crypto/aead.h \
	ike/crypto/bundle.c ike/crypto/bundle.h \
	ike/crypto/cbc.c ike/crypto/cbc.h \
	ike/crypto/cert.c ike/crypto/cert.h ike/crypto/cert_gnutls.h \
	ike/crypto/cert_crl.c \
	ike/crypto/cert_hosts.c \
	ike/crypto/cert_name.c \
	ike/crypto/cert_sign.c ike/crypto/cert_sign.h \
	ike/crypto/cert_trust.c \
	ike/crypto/kex.c ike/crypto/kex.h ike/crypto/kex_method.h \
	ike/crypto/kex_dh.c \
	ike/crypto/kex_table.c \
	ike/crypto/modp.c ike/crypto/modp.h \
	ike/crypto/prf.c ike/crypto/prf.h \
	ike/crypto/text.c ike/crypto/text.h \
	ike/engine.c ike/ike.h \
	ike/engine_config.c ike/engine_config.h \
	ike/events.c \
	ike/exchange.c \
	ike/followup.c \
	ike/fragment.c \
	ike/further.c \
	ike/guard.c \
	ike/id.c ike/id.h \
	ike/informational.c \
	ike/intermediate.c \
	ike/initiator.c \
	ike/keys.c ike/keys.h \
	ike/liveness.c \
	ike/message.c ike/message.h \
	ike/nat.c ike/nat.h \
	ike/narrow.c \
	ike/negotiate.c \
	ike/payload.c ike/payload.h \
	ike/ppk.c ike/ppk.h \
	ike/proof.c \
	ike/proposal.c ike/proposal.h \
	ike/reconfigure.c \
	ike/rekey.c \
	ike/responder.c \
	ike/retired.c \
	ike/rtt.c \
	ike/sa.c ike/sa.h \
	ike/sk.c ike/sk.h \
	ike/traversal.c \
	ike/wish.c ike/wish.h

UNIT_TESTS += t/unit/ike_cert t/unit/ike_cert_crl t/unit/ike_cert_hosts t/unit/ike_crypto t/unit/ike_proposal t/unit/ike_sk t/unit/ike_vectors
t_unit_ike_cert_SOURCES = t/unit/ike_cert.c t/pki.c t/pki.h t/tap.h
t_unit_ike_cert_LDADD = $(IKE_LIBS)
t_unit_ike_cert_crl_SOURCES = t/unit/ike_cert_crl.c t/pki.c t/pki.h t/tap.h
t_unit_ike_cert_crl_LDADD = $(IKE_LIBS)
t_unit_ike_cert_hosts_SOURCES = t/unit/ike_cert_hosts.c t/pki.c t/pki.h t/tap.h
t_unit_ike_cert_hosts_LDADD = $(IKE_LIBS)
t_unit_ike_crypto_SOURCES = t/unit/ike_crypto.c t/unit/hex.h t/tap.h
t_unit_ike_crypto_LDADD = $(IKE_LIBS)
t_unit_ike_proposal_SOURCES = t/unit/ike_proposal.c t/tap.h
t_unit_ike_proposal_LDADD = $(IKE_LIBS)
t_unit_ike_sk_SOURCES = t/unit/ike_sk.c t/tap.h
t_unit_ike_sk_LDADD = $(IKE_LIBS)
t_unit_ike_vectors_SOURCES = t/unit/ike_vectors.c t/unit/ike_vectors.h t/unit/hex.h t/tap.h
t_unit_ike_vectors_LDADD = $(IKE_LIBS)
LINT_TESTS += t/lint/vectors.t
EXTRA_DIST += t/unit/ike_vectors.py

sim_world = t/sim/world.c t/sim/world_lines.c t/sim/world.h t/tap.h
UNIT_TESTS += t/sim/addke t/sim/agree t/sim/breaks t/sim/busy t/sim/followup t/sim/further t/sim/kem t/sim/two t/sim/algorithms t/sim/life t/sim/notifies t/sim/requests t/sim/rtt t/sim/anonymous t/sim/hostile t/sim/payloads t/sim/states t/sim/crossing t/sim/contact t/sim/certs t/sim/fragments t/sim/nat t/sim/ppk t/sim/rekey t/sim/selectors t/sim/flood t/sim/fleet
t_sim_addke_SOURCES = t/sim/addke.c t/pki.c t/pki.h $(sim_world)
t_sim_addke_LDADD = $(IKE_LIBS)
t_sim_agree_SOURCES = t/sim/agree.c $(sim_world)
t_sim_agree_LDADD = $(IKE_LIBS)
t_sim_followup_SOURCES = t/sim/followup.c $(sim_world)
t_sim_followup_LDADD = $(IKE_LIBS)
sim_flows = t/sim/flows.c t/sim/flows.h $(sim_world)
sim_forge = t/sim/forge.c t/sim/forge.h
t_sim_busy_SOURCES = t/sim/busy.c $(sim_forge) $(sim_flows)
t_sim_busy_LDADD = $(IKE_LIBS)
t_sim_further_SOURCES = t/sim/further.c $(sim_flows)
t_sim_further_LDADD = $(IKE_LIBS)
t_sim_breaks_SOURCES = t/sim/breaks.c $(sim_flows)
t_sim_breaks_LDADD = $(IKE_LIBS)
t_sim_kem_SOURCES = t/sim/kem.c $(sim_world)
t_sim_kem_LDADD = $(IKE_LIBS)
t_sim_algorithms_SOURCES = t/sim/algorithms.c $(sim_world)
t_sim_algorithms_LDADD = $(IKE_LIBS)
t_sim_fleet_SOURCES = t/sim/fleet.c t/sim/fleet.h t/sim/fleet_checks.c t/sim/fleet_hosts.c t/sim/fleet_net.c \
	t/sim/fleet_plane.c t/sim/fleet_talks.c t/sim/fleet_time.c
t_sim_fleet_LDADD = libpolicy.a $(IKE_LIBS)
t_sim_flood_SOURCES = t/sim/flood.c $(sim_world)
t_sim_flood_LDADD = $(IKE_LIBS)
t_sim_nat_SOURCES = t/sim/nat.c $(sim_world)
t_sim_nat_LDADD = $(IKE_LIBS)
t_sim_ppk_SOURCES = t/sim/ppk.c t/pki.c t/pki.h $(sim_world)
t_sim_ppk_LDADD = $(IKE_LIBS)
t_sim_rekey_SOURCES = t/sim/rekey.c $(sim_world)
t_sim_rekey_LDADD = $(IKE_LIBS)
t_sim_fragments_SOURCES = t/sim/fragments.c t/pki.c t/pki.h $(sim_world)
t_sim_fragments_LDADD = $(IKE_LIBS)
t_sim_certs_SOURCES = t/sim/certs.c t/pki.c t/pki.h $(sim_world)
t_sim_certs_LDADD = $(IKE_LIBS)
t_sim_two_SOURCES = t/sim/two.c $(sim_world)
t_sim_two_LDADD = $(IKE_LIBS)
t_sim_life_SOURCES = t/sim/life.c $(sim_world)
t_sim_life_LDADD = $(IKE_LIBS)
t_sim_notifies_SOURCES = t/sim/notifies.c $(sim_world)
t_sim_notifies_LDADD = $(IKE_LIBS)
t_sim_selectors_SOURCES = t/sim/selectors.c $(sim_world)
t_sim_selectors_LDADD = $(IKE_LIBS)
t_sim_requests_SOURCES = t/sim/requests.c $(sim_forge) $(sim_world)
t_sim_requests_LDADD = $(IKE_LIBS)
t_sim_rtt_SOURCES = t/sim/rtt.c $(sim_world)
t_sim_rtt_LDADD = $(IKE_LIBS)
t_sim_anonymous_SOURCES = t/sim/anonymous.c $(sim_world)
t_sim_anonymous_LDADD = $(IKE_LIBS)
t_sim_hostile_SOURCES = t/sim/hostile.c $(sim_world)
t_sim_hostile_LDADD = $(IKE_LIBS)
t_sim_states_SOURCES = t/sim/states.c $(sim_world)
t_sim_states_LDADD = $(IKE_LIBS)
t_sim_payloads_SOURCES = t/sim/payloads.c $(sim_world)
t_sim_payloads_LDADD = $(IKE_LIBS)
t_sim_contact_SOURCES = t/sim/contact.c $(sim_world)
t_sim_contact_LDADD = $(IKE_LIBS)
t_sim_crossing_SOURCES = t/sim/crossing.c $(sim_world)
t_sim_crossing_LDADD = $(IKE_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_ike_engine
t_fuzz_fuzz_ike_engine_SOURCES = t/fuzz/fuzz_ike_engine.c $(sim_world)
t_fuzz_fuzz_ike_engine_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_ike_engine_LDADD = $(IKE_LIBS)
UNIT_TESTS += t/fuzz/replay_ike_engine
t_fuzz_replay_ike_engine_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_ike_engine.c $(sim_world)
t_fuzz_replay_ike_engine_LDADD = $(IKE_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_ike_message
t_fuzz_fuzz_ike_message_SOURCES = t/fuzz/fuzz_ike_message.c
t_fuzz_fuzz_ike_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_ike_message_LDADD = $(IKE_LIBS)
UNIT_TESTS += t/fuzz/replay_ike_message
t_fuzz_replay_ike_message_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_ike_message.c t/tap.h
t_fuzz_replay_ike_message_LDADD = $(IKE_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_cert
t_fuzz_fuzz_cert_SOURCES = t/fuzz/fuzz_cert.c
t_fuzz_fuzz_cert_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_cert_LDADD = $(IKE_LIBS)
UNIT_TESTS += t/fuzz/replay_cert
t_fuzz_replay_cert_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_cert.c t/tap.h
t_fuzz_replay_cert_LDADD = $(IKE_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_ike_fragments
t_fuzz_fuzz_ike_fragments_SOURCES = t/fuzz/fuzz_ike_fragments.c
t_fuzz_fuzz_ike_fragments_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_ike_fragments_LDADD = $(IKE_LIBS)
UNIT_TESTS += t/fuzz/replay_ike_fragments
t_fuzz_replay_ike_fragments_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_ike_fragments.c t/tap.h
t_fuzz_replay_ike_fragments_LDADD = $(IKE_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_ike_payload
t_fuzz_fuzz_ike_payload_SOURCES = t/fuzz/fuzz_ike_payload.c
t_fuzz_fuzz_ike_payload_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_ike_payload_LDADD = $(IKE_LIBS)
UNIT_TESTS += t/fuzz/replay_ike_payload
t_fuzz_replay_ike_payload_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_ike_payload.c t/tap.h
t_fuzz_replay_ike_payload_LDADD = $(IKE_LIBS)

EXTRA_DIST += t/fuzz/corpus/cert t/fuzz/corpus/ike_engine t/fuzz/corpus/ike_fragments \
	t/fuzz/corpus/ike_message t/fuzz/corpus/ike_payload
