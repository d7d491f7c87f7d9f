/** The door of the command line tool. */
export { runProgram } from './program.js';
