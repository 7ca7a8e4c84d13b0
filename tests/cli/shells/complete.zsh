# Prints what zsh offers for command lines: zsh -f complete.zsh SCRIPT DIR LINE...
# After the candidates of each line comes a line ----. Completion of zsh works only in an interactive
# shell on a terminal: one is run here, each line is put into its editor, and compadd, to which every
# candidate goes, is made to write them down. DIR is a folder for its files. A SCRIPT of the name
# _pacsrv is found in $fpath, as an installed one is; another one is sourced.
zmodload zsh/zpty
script=$1 dir=$2
shift 2
: > $dir/out
cat > $dir/rc <<RC
PROMPT= RPROMPT=
fpath=(${(q)script:h} \$fpath)
autoload -Uz compinit
compinit -u -D
[[ ${(q)script:t} == _pacsrv ]] || source ${(q)script}
compadd() {
  # With one of these it only computes, and offers nothing.
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "\$@"
    return
  fi
  local -a hits
  builtin compadd -A hits "\$@"
  print -rl -- \$hits >> ${(q)dir}/out
  builtin compadd "\$@"
}
capture() {
  LBUFFER=\$(<${(q)dir}/line)
  zle complete-word
  print -r -- ---- >> ${(q)dir}/out
  zle .kill-whole-line
}
zle -N capture
bindkey '^T' capture
print -r -- ---- >> ${(q)dir}/out
RC

# Waits until so many lines ---- were written.
wait_for() {
  local i said
  for i in {1..1000}; do
    (($(grep -c -e '^----$' $dir/out) >= $1)) && return
    sleep 0.02
  done
  zpty -rt shell said
  print -ru2 -- "zsh does not answer: $said"
  exit 1
}

zpty shell zsh -f -i
zpty -w shell "source ${(q)dir}/rc"
wait_for 1
answers=1
for line in "$@"; do
  print -rn -- "$line" > $dir/line
  zpty -w -n shell $'\x14'
  wait_for $((++answers))
done
zpty -d shell
tail -n +2 $dir/out
