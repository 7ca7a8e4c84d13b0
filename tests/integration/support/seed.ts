// The seed of a test that takes random choices: a new one each time, printed, or the one that a
// person gives to see a failure again.

/** `PACSRV_TEST_SEED`, or a random seed; printed either way. */
export function seedOf(): number {
  const text = Deno.env.get("PACSRV_TEST_SEED");
  const seed = text === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(text);
  console.log(`seed ${seed} (PACSRV_TEST_SEED=${seed} takes the same choices)`);
  return seed;
}
