//! The models of rig as models of `handoffs`.
