# fish completion for envbuild; made by `envbuild help --write`.
# SPDX-License-Identifier: Apache-2.0

function _envbuild_words
    string join \n -- $argv
end

# Folders, and files of these suffixes; without one all files.
function _envbuild_files
    set -l ends (string join '|' -- (string escape --style=regex -- $argv))
    __fish_complete_path (commandline -ct) | string match -r -- "^[^\t]*(?:/|$ends)(?:\t.*)?\$"
end

function _envbuild_folders
    __fish_complete_directories (commandline -ct)
end

function _envbuild_commands
@COMMANDS@
end

# The command that is typed; false while there is none.
function _envbuild_command
    set -l typed (commandline -opc)
    for word in $typed[2..]
        string match -q -- '-*' $word
        and continue
        switch $word
@NAMES@
                echo $word
            case '*'
                echo build
        end
        return
    end
    return 1
end

function _envbuild_is
    test "$(_envbuild_command)" = $argv[1]
end

complete -c envbuild -f
complete -c envbuild -n 'not _envbuild_command >/dev/null' -a '(_envbuild_commands)'
complete -c envbuild -n 'not _envbuild_command >/dev/null' -a '(_envbuild_files .yaml .yml)'
complete -c envbuild -n 'not _envbuild_command >/dev/null' -l version -s V -d 'print the version'
complete -c envbuild -n 'not _envbuild_command >/dev/null' -l help -s h -d 'list the commands'
@FISH@
