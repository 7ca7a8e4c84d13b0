# Prints what fish offers for command lines: fish complete.fish SCRIPT LINE...
# After the candidates of each line comes a line ----. What follows a tab is their description.
source $argv[1]
for line in $argv[2..]
    complete -C $line
    echo ----
end
