/** The command `lockstep`: what it knows, and how it ends. 0 = done, 1 = it failed, 2 = it cannot be meant so. */
import { Command, CommanderError } from 'commander';
import { addAcknowledgeCommand } from './acknowledge-command.js';
import { addApproveCommand } from './approve-command.js';
import { addCatalogueCommands } from './catalogue-commands.js';
import { addClusterCommands } from './cluster-commands.js';
import { addLocalCommands } from './local-commands.js';
import { addLogsCommand } from './logs-command.js';
import { addMoveCommands } from './move-commands.js';
import { addPauseCommands } from './pause-commands.js';
import { addQuarantineCommands } from './quarantine-commands.js';

/** Runs one command line. @returns the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const program = new Command('lockstep')
    .description('Look at Lockstep and steer it')
    // Options behind a command's name are that command's, although the one above it knows some of the same name.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)');
  program.exitOverride();
  addClusterCommands(program);
  addMoveCommands(program);
  addAcknowledgeCommand(program);
  addApproveCommand(program);
  addPauseCommands(program);
  addQuarantineCommands(program);
  addCatalogueCommands(program);
  addLogsCommand(program);
  let exitCode = 0;
  addLocalCommands(program, (ended) => (exitCode = ended));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.code === 'commander.helpDisplayed' ? 0 : 2;
    if ((error as Error).name !== 'CliError') throw error;
    console.error((error as Error).message);
    return (error as { exitCode: 1 | 2 }).exitCode;
  }
}
