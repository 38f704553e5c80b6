using System.CommandLine;

namespace Spindle.Cli;

/// <summary><c>spindle completion SHELL</c>: what the shell needs to complete commands, options, RPC methods and their parameters. The scripts ask the program itself.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # spindle completion bash: source <(spindle completion bash)
        _spindle() {
            local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]}
            local IFS=$'\n'
            COMPREPLY=($(spindle "[suggest:${#line}]" "$line" 2>/dev/null))
            # Readline takes what follows a '=' as a word of its own.
            if [[ $line == *[[:space:]]*=* && ${line##*[[:space:]]} == *=* ]]; then
                local before=${line##*[[:space:]]}
                COMPREPLY=("${COMPREPLY[@]#"${before%%=*}="}")
            fi
            [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        }
        complete -F _spindle spindle
        """;

    private const string Zsh = """
        #compdef spindle
        # spindle completion zsh > a file _spindle in a folder of $fpath
        _spindle() {
            local line="$BUFFER[1,$CURSOR]"
            local -a found
            found=("${(@f)$(spindle "[suggest:${#line}]" "$line" 2>/dev/null)}")
            compadd -Q -S '' -- $found
        }
        compdef _spindle spindle
        """;

    private const string Fish = """
        # spindle completion fish | source
        function __spindle
            set -l line (commandline -cp)
            spindle "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -f -c spindle -a '(__spindle)'
        """;

    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints a script that makes a shell complete commands, options, RPC methods and their parameters; for bash: source <(spindle completion bash).") { shell };
        command.SetAction(parsed =>
        {
            Console.Out.WriteLine(parsed.GetValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return ExitCode.Success;
        });
        return command;
    }
}
