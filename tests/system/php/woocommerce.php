<?php
// SPDX-License-Identifier: MIT
// As much of WordPress and WooCommerce as the plugin of examples/woocommerce meets: php woocommerce.php
// PLUGIN REQUEST..., each request a JSON of {"cookie", "hook", "order"}, an order being an id, or {"id"}
// for the hooks that pass the object. Prints one JSON of what became of it all.
define('ABSPATH', '/');
getenv('BC_ONLY_PAID') && define('BC_ONLY_PAID', true);

class WC_Order
{
    public static array $all = [];
    private array $unsaved = [];
    public array $meta = [];

    public function __construct(private int $id)
    {
        self::$all[$id] = $this;
    }

    public function get_id()
    {
        return $this->id;
    }

    public function update_meta_data($key, $value)
    {
        $this->unsaved[$key] = $value;
    }

    public function save()
    {
        $this->meta = $this->unsaved + $this->meta;
    }

    public function get_meta($key)
    {
        return $this->meta[$key] ?? '';
    }
}

function wc_get_order($id)
{
    return WC_Order::$all[$id] ?? false;
}

$hooks = $later = $milliseconds = [];
function add_action($hook, $callback, $priority = 10, $accepted = 1)
{
    $GLOBALS['hooks'][$hook][] = [$callback, $accepted];
}
function do_action($hook, ...$arguments)
{
    foreach ($GLOBALS['hooks'][$hook] ?? [] as [$callback, $accepted]) {
        $callback(...array_slice($arguments, 0, $accepted));
    }
}
function as_schedule_single_action($time, $hook, $arguments)
{
    $GLOBALS['later'][] = [$time - time(), $hook, $arguments];
}

set_error_handler(function ($level, $message) {
    throw new ErrorException($message);
});
require $argv[1];
foreach (array_slice($argv, 2) as $request) {
    $request = json_decode($request, true);
    $_COOKIE = isset($request['cookie']) ? ['bc_click' => $request['cookie']] : [];
    $wanted = $request['order'];
    $id = is_array($wanted) ? $wanted['id'] : $wanted;
    $order = wc_get_order($id) ?: new WC_Order($id);
    $start = hrtime(true);
    do_action($request['hook'], is_array($wanted) ? $order : $id, ['posted' => 'data'], $order);
    $milliseconds[] = (hrtime(true) - $start) / 1e6;
}
echo json_encode(['hooks' => array_keys($hooks), 'later' => $later, 'milliseconds' => $milliseconds,
    'meta' => array_map(fn ($order) => $order->meta, WC_Order::$all)]), "\n";
