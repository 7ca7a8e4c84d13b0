# Types into an interactive bash on a terminal: zsh -f type.zsh SCRIPT DIR KEYS...
# Each KEYS is a line with its Tabs, for a bash that has loaded the completion SCRIPT and in which
# pacsrv only prints its words, one a line, and then a line ----. DIR is a folder for its files.
zmodload zsh/zpty
script=$1 dir=$2
shift 2
: > $dir/out
cat > $dir/bashrc <<RC
PS1=
source ${(q)script}
pacsrv() { printf '%s\n' "\$@" ---- >> ${(q)dir}/out; }
RC
zpty shell bash --noprofile --rcfile $dir/bashrc -i
answers=0
for keys in "$@"; do
  zpty -w shell "$keys"
  ((++answers))
  for i in {1..1000}; do
    (($(grep -c -e '^----$' $dir/out) >= answers)) && break
    sleep 0.02
  done
done
zpty -d shell
cat $dir/out
