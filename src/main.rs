//! The command line on journals and drawings. Programs that have graphs of their own write the same line
//! with them in it.

handoffs::cli::main!();
