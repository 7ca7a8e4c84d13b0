// Where the shells look for the completion scripts of programs. It imports nothing, so that the task
// `install` can use it.

/** The file of each shell's script, in the `share` folder of a prefix. */
export const COMPLETION_FILES: Readonly<Record<string, string>> = {
  bash: "bash-completion/completions/pacsrv",
  zsh: "zsh/site-functions/_pacsrv",
  fish: "fish/vendor_completions.d/pacsrv.fish",
};
