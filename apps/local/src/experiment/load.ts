export const loadUsage = 'npx lockstep local load [options]';

export async function runLoad(_args: readonly string[]): Promise<number> {
  return Promise.resolve(0);
}
